"""Compares one account's listing with its stored state: what to write, and what to log.

The table of clients and the change log are each compared with what they hold themselves: if a killed run left
one behind the other, only that one is corrected.
"""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..records import DELETED, JSON, Row, change_facts, changed_fields, client_facts, json_text, text_hash
from .brake import newly_withheld, still_withheld

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import LoggedChange, StoredAccount

Documents = Callable[[Collection[str]], dict[str, JSON]]


@dataclass
class AccountDiff:
    """What is to be written for one account: rows of `oauth_clients` and of the change log."""

    clients: list[JSON] = field(default_factory=list)
    changes: list[JSON] = field(default_factory=list)
    unchanged: int = 0
    withheld: list[str] = field(default_factory=list)
    # Those of `withheld` that the brake keeps, each with the smallest fraction that lets it go.
    braked: dict[str, Fraction] = field(default_factory=dict)

    @property
    def blocked(self) -> bool:
        """Whether the brake keeps a client."""
        return bool(self.braked)

    def count(self, change: str) -> int:
        """The number of log rows with this `change`."""
        return sum(row["change"] == change for row in self.changes)


def diff_account(
    account_id: str,
    rows: Iterable[Row],
    stored: "StoredAccount",
    documents_after: Documents,
    *,
    may_delete: bool,
    max_delete_fraction: float,
    sync_id: str,
    observed_at: datetime,
) -> AccountDiff:
    """Compare a listing with what is stored; in the resulting rows, JSON is text.

    Args:
        may_delete: whether the listing proves that the clients it lacks are gone.
        documents_after: returns the last logged documents by `change_id`.
    """
    diff = AccountDiff()
    listed = {row.key: row for row in rows}
    vanished = sorted(stored.known.keys() - listed.keys())
    diff.braked = still_withheld(vanished, stored, max_delete_fraction)
    if may_delete:
        diff.braked |= newly_withheld(vanished, stored, max_delete_fraction)
    diff.withheld = [client_id for client_id in vanished if not may_delete or client_id in diff.braked]
    vanished = sorted(set(vanished) - set(diff.withheld))

    for row in listed.values():
        if stored.client_hashes.get(row.key) != row.content_hash:
            diff.clients.append(
                {
                    **row.columns,
                    **client_facts(row.columns),
                    "account_id": account_id,
                    "content_hash": row.content_hash,
                    "observed_at": observed_at,
                }
            )
    diff.clients.extend(
        {"account_id": account_id, "client_id": client_id, DELETED: True}
        for client_id in vanished
        if client_id in stored.client_hashes
    )

    steps = list(_steps(listed, vanished, stored))
    before = documents_after([last.change_id for _, last, _ in steps if last and last.content_hash])
    for client_id, last, now in steps:
        document_before = before.get(last.change_id) if last else None
        diff.changes.append(
            _logged(account_id, client_id, last, document_before, now, stored.baselined)
            | {"observed_at": observed_at, "sync_id": sync_id}
        )
    diff.unchanged = len(listed) - sum(now is not None for _, _, now in steps)
    return diff


def _steps(
    listed: dict[str, Row], vanished: list[str], stored: "StoredAccount"
) -> Iterable[tuple[str, "LoggedChange | None", Row | None]]:
    """What the log lacks: the client, its last logged change, and its row now (None if it is gone)."""
    for client_id, row in listed.items():
        last = stored.last_changes.get(client_id)
        if last is None or last.content_hash != row.content_hash:
            yield client_id, last, row
    for client_id in vanished:
        last = stored.last_changes.get(client_id)
        # A client that the log never saw has no deletion to log.
        if last is not None and last.content_hash is not None:
            yield client_id, last, None


def _logged(
    account_id: str,
    client_id: str,
    last: "LoggedChange | None",
    before: JSON | None,
    row: Row | None,
    baselined: bool,
) -> dict[str, Any]:
    after = row.columns if row else None
    content_hash = row.content_hash if row else None
    fields: str | None = None
    if row is None:
        change = "deleted"
    elif before is not None:
        change = "updated"
        fields = json_text(changed_fields(before, json.loads(row.document)))
    else:
        change = "created" if last or baselined else "baseline"
    previous_change_id = last.change_id if last else None
    return {
        # Independent of time and sync, so that a replay produces the same row.
        "change_id": text_hash(account_id, client_id, previous_change_id, content_hash),
        "account_id": account_id,
        "client_id": client_id,
        "client_name": (after or before or {}).get("client_name"),
        "change": change,
        "changed_fields": fields,
        "document_before": None if before is None else json_text(before),
        "document_after": row.document if row else None,
        "content_hash": content_hash,
        "previous_change_id": previous_change_id,
        **change_facts(before, after),
    }
