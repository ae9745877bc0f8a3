"""The brake on deletions: clients of which too many vanished at once are kept until more may vanish."""

import json
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import StoredAccount

# In an account with fewer known clients, any number of them may vanish at once, unless some are withheld.
SMALLEST_GUARDED_ACCOUNT = 10

# Clients that are kept, each with the smallest `max_delete_fraction` that lets it go.
Withheld = Mapping[str, Fraction]


def still_withheld(
    vanished: Collection[str], stored: "StoredAccount", max_delete_fraction: float
) -> dict[str, Fraction]:
    """The clients that earlier syncs withheld, that are not back, and that may not be deleted yet."""
    allowed = _exactly(max_delete_fraction)
    remembered = ((client_id, stored.withheld.get(client_id)) for client_id in vanished)
    return {client_id: share for client_id, share in remembered if share is not None and share > allowed}


def newly_withheld(
    vanished: Collection[str], stored: "StoredAccount", max_delete_fraction: float
) -> dict[str, Fraction]:
    """The clients that have vanished since the last complete reading, if that are too many at once."""
    new = [client_id for client_id in vanished if client_id not in stored.withheld]
    remembered = len(vanished) - len(new)
    # A killed sync may have written a part of what it found: that must not change what is withheld.
    clients = len(stored.known) if stored.loaded is None else stored.loaded
    guarded = clients >= SMALLEST_GUARDED_ACCOUNT or bool(
        still_withheld(vanished, stored, max_delete_fraction)
    )
    if not new or not guarded:
        return {}
    there = min(clients, len(stored.known)) - remembered
    # Clients that incomplete or killed syncs have added since must not make the share smaller.
    if stored.last_listed is not None and stored.last_listed >= SMALLEST_GUARDED_ACCOUNT:
        there = min(there, stored.last_listed)
    share = min(Fraction(1), Fraction(len(new), max(there, 1)))
    return dict.fromkeys(new, share) if share > _exactly(max_delete_fraction) else {}


def withheld_as_text(withheld: Withheld) -> str | None:
    """The column `withheld_clients`; None if there are none."""
    by_share: dict[str, list[str]] = {}
    for client_id, share in sorted(withheld.items()):
        by_share.setdefault(str(share), []).append(client_id)
    return json.dumps(by_share) if by_share else None


def withheld_from_text(text: str | None) -> dict[str, Fraction]:
    """The clients of the column `withheld_clients`."""
    return {
        client_id: Fraction(share)
        for share, client_ids in json.loads(text or "{}").items()
        for client_id in client_ids
    }


def _exactly(fraction: float) -> Fraction:
    """The number as it was written: 0.1 means a tenth, which no float equals."""
    return Fraction(str(fraction))
