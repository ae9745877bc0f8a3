"""One account's listing against what is stored of it: what to write, and what to log.

The two tables are compared each with what it holds itself. If a killed run left one of them
behind the other, only that one is put right.
"""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..records.canonical import JSON, changed_fields, json_text, text_hash
from ..records.enrichment import change_facts, client_facts
from ..records.tables import DELETED
from ..records.validation import Row

if TYPE_CHECKING:
    # It imports dlt, for which whoever only needs a name from here need not wait.
    from .stored_state import LoggedChange, StoredAccount

# Below so many known clients any number of them may vanish at once.
SMALLEST_GUARDED_ACCOUNT = 10

Documents = Callable[[Collection[str]], dict[str, JSON]]


@dataclass
class AccountDiff:
    """What is to be written for one account: rows of `oauth_clients` and of the change log."""

    clients: list[JSON] = field(default_factory=list)
    changes: list[JSON] = field(default_factory=list)
    unchanged: int = 0
    withheld: list[str] = field(default_factory=list)
    blocked: bool = False

    def count(self, change: str) -> int:
        """How many log rows are of a kind."""
        return sum(row["change"] == change for row in self.changes)


def compare(
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
    """Compare a listing with what is stored. In the rows it makes, JSON is text.

    Args:
        may_delete: whether the listing is proof that what it lacks is gone.
        documents_after: gives the last logged documents by `change_id`.
    """
    comparison = AccountDiff()
    listed = {row.key: row for row in rows}
    known = stored.known
    vanished = sorted(known.keys() - listed.keys())
    comparison.blocked = (
        may_delete
        and len(known) >= SMALLEST_GUARDED_ACCOUNT
        and len(vanished) > max_delete_fraction * len(known)
    )
    if not may_delete or comparison.blocked:
        comparison.withheld, vanished = vanished, []

    for row in listed.values():
        if stored.client_hashes.get(row.key) != row.content_hash:
            comparison.clients.append(
                {
                    **row.columns,
                    **client_facts(row.columns),
                    "account_id": account_id,
                    "content_hash": row.content_hash,
                    "observed_at": observed_at,
                }
            )
    comparison.clients.extend(
        {"account_id": account_id, "client_id": client_id, DELETED: True}
        for client_id in vanished
        if client_id in stored.client_hashes
    )

    steps = list(_steps(listed, vanished, stored))
    before = documents_after([last.change_id for _, last, _ in steps if last and last.content_hash])
    for client_id, last, now in steps:
        document_before = before.get(last.change_id) if last else None
        comparison.changes.append(
            _logged(account_id, client_id, last, document_before, now, stored.baselined)
            | {"observed_at": observed_at, "sync_id": sync_id}
        )
    comparison.unchanged = len(listed) - sum(now is not None for _, _, now in steps)
    return comparison


def _steps(
    listed: dict[str, Row], vanished: list[str], stored: "StoredAccount"
) -> Iterable[tuple[str, "LoggedChange | None", Row | None]]:
    """What the log does not know yet: the client, its last logged change, and what it is now."""
    for client_id, row in listed.items():
        last = stored.last_changes.get(client_id)
        if last is None or last.content_hash != row.content_hash:
            yield client_id, last, row
    for client_id in vanished:
        last = stored.last_changes.get(client_id)
        # Of what the log never saw there is nothing to take back.
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
        # Not of the time or the sync, so that a replay makes the same row again.
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
