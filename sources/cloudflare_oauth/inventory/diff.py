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

from ..records import (
    DELETED,
    DERIVED_VERSION,
    JSON,
    Row,
    change_facts,
    changed_fields,
    client_facts,
    have_same_content,
    is_current_hash,
    json_text,
    text_hash,
)
from .brake import newly_withheld, still_withheld

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import LoggedChange, StoredAccount

Documents = Callable[[Collection[str]], dict[str, JSON]]
ObservedBefore = Callable[[str], dict[str, datetime]]


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
    observed_before: ObservedBefore,
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
        observed_before: returns when the stored content of an account's clients was first seen, by client.
    """
    diff = AccountDiff()
    listed = {row.key: row for row in rows}
    vanished = sorted(stored.known.keys() - listed.keys())
    diff.braked = still_withheld(vanished, stored, max_delete_fraction)
    if may_delete:
        diff.braked |= newly_withheld(vanished, stored, max_delete_fraction)
    diff.withheld = [client_id for client_id in vanished if not may_delete or client_id in diff.braked]
    vanished = sorted(set(vanished) - set(diff.withheld))

    steps = list(_steps(listed, vanished, stored))
    before = documents_after([last.change_id for _, last, _ in steps if last and last.content_hash])
    change_ids = {client_id: last.change_id for client_id, last in stored.last_changes.items()}
    for client_id, last, now in steps:
        document_before = before.get(last.change_id) if last else None
        if last and now and document_before is not None and _is_hashed_anew(last, document_before, now):
            continue
        change = _logged(account_id, client_id, last, document_before, now, stored.baselined)
        diff.changes.append(change | {"observed_at": observed_at, "sync_id": sync_id})
        change_ids[client_id] = change["change_id"]
        diff.unchanged -= now is not None
    diff.unchanged += len(listed)

    written = [row for row in listed.values() if not _is_shown(row, change_ids[row.key], stored)]
    logged = {change["client_id"] for change in diff.changes}
    # What is written again without a change was first seen when it was first written.
    renewed = any(row.key in stored.clients and row.key not in logged for row in written)
    observed = observed_before(account_id) if renewed else {}
    for row in written:
        since = observed.get(row.key) if row.key not in logged else None
        diff.clients.append(
            {
                **row.columns,
                **client_facts(row.columns),
                "account_id": account_id,
                "derived_version": DERIVED_VERSION,
                "change_id": change_ids[row.key],
                "content_hash": row.content_hash,
                "observed_at": since or observed_at,
            }
        )
    diff.clients.extend(
        {"account_id": account_id, "client_id": client_id, DELETED: True}
        for client_id in vanished
        if client_id in stored.clients
    )
    return diff


def _is_shown(row: Row, change_id: str, stored: "StoredAccount") -> bool:
    """Whether the stored row of a client has this content, and says which logged change that is."""
    client = stored.clients.get(row.key)
    return client is not None and (client.content_hash, client.change_id) == (row.content_hash, change_id)


def _is_hashed_anew(last: "LoggedChange", before: JSON, row: Row) -> bool:
    """Whether only the hash differs, because an older release had made it in another way."""
    if is_current_hash(last.content_hash):
        return False
    # The account that owns a client is not content of the client.
    before, after = ({**document, "account_id": None} for document in (before, json.loads(row.document)))
    return have_same_content(before, after)


def _steps(
    listed: dict[str, Row], vanished: list[str], stored: "StoredAccount"
) -> Iterable[tuple[str, "LoggedChange | None", Row | None]]:
    """What the log lacks: the client, its last logged change, and its row now (None if it is gone)."""
    known = stored.known
    for client_id, row in listed.items():
        last = stored.last_changes.get(client_id)
        # The log's hash may be that of an older release, and the row that shows the change have a new one.
        if known.get(client_id) != row.content_hash and (
            last is None or last.content_hash != row.content_hash
        ):
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
        "derived_version": DERIVED_VERSION,
        **change_facts(before, after),
    }
