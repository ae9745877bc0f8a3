"""Lists resources and checks their items, several requests at a time, while the caller does something else.

    reader         the protocol of a reader, and what it returns
    async_reader   the reader itself, in one event loop
    prefetch       readings that are begun before they are asked for
    thread         the reader on a thread of this process
    process        the reader in a process of its own; `worker` is its program
    messages       what the two processes say to each other

The thread needs HTTP libraries, which a sync that reads in another process never loads, so what it exports is
imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

from .process import abandon_prefetch, open_reader_process, prefetch_in_process, start_reader_process
from .reader import AccountReading, CheckedListing, Hashes, OpenReader, Reader

if TYPE_CHECKING:
    from .thread import open_reader_thread

__all__ = [
    "AccountReading",
    "CheckedListing",
    "Hashes",
    "OpenReader",
    "Reader",
    "abandon_prefetch",
    "open_reader_process",
    "open_reader_thread",
    "prefetch_in_process",
    "start_reader_process",
]


def __getattr__(name: str) -> Any:
    if name != "open_reader_thread":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # See the docstring.
    from .thread import open_reader_thread

    return open_reader_thread
