"""One sync's inventory: what Cloudflare holds, compared with what the dataset holds.

    rejected_fields  what becomes of a row with a field that cannot be stored
    stored_state   what the dataset holds
    diff           one account's listing against its stored state
    verdict        an account's status and message
    run            the whole inventory, as rows to write

`stored_state` needs dlt, so what it exports is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from .run import Inventory, Rows, new_sync_id

if TYPE_CHECKING:
    from .stored_state import StoredState, read_stored_state

__all__ = ["Inventory", "Rows", "StoredState", "new_sync_id", "read_stored_state"]


def __getattr__(name: str) -> Any:
    if name not in ("StoredState", "read_stored_state"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # See the docstring.
    from . import stored_state

    return getattr(stored_state, name)
