"""Reads what the dataset holds, from the destination itself: local state is never trusted."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.dataset import Dataset

from ..dlt_schema import declared_schema
from ..records import JSON, redacted
from .brake import withheld_from_text

ROWS_PER_FETCH = 10_000
IDS_PER_QUERY = 500
# Equals the hash of no content, so a row with it is written again.
UNSURE = ""


@dataclass(frozen=True)
class LoggedChange:
    """A client's last row in the change log; `content_hash` is None if that was its deletion."""

    change_id: str
    content_hash: str | None


@dataclass
class StoredAccount:
    """The stored state of one account's clients, by `client_id`, separately for each table."""

    client_hashes: dict[str, str] = field(default_factory=dict)
    last_changes: dict[str, LoggedChange] = field(default_factory=dict)
    # Whether an earlier sync read the account completely, so that a new client was created since.
    baselined: bool = False
    # When the last sync that read and loaded it completely finished reading; None if deletions were withheld.
    completed_at: datetime | None = None
    # The number of clients that it listed.
    last_listed: int | None = None
    # What it withheld, each with the smallest `max_delete_fraction` that lets it go.
    withheld: dict[str, Fraction] = field(default_factory=dict)
    # The highest number of a sync that has a row for the account.
    sync_number: int = 0

    @property
    def known(self) -> dict[str, str]:
        """The hash of every client that exists according to either table; `UNSURE` if they disagree."""
        logged = {client: last.content_hash for client, last in self.last_changes.items()}
        known = {client: UNSURE for client, content_hash in logged.items() if content_hash is not None}
        for client, content_hash in self.client_hashes.items():
            known[client] = content_hash if logged.get(client) == content_hash else UNSURE
        return known


@dataclass
class StoredState:
    """The part of the dataset that a comparison needs."""

    accounts: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    rejections: set[str] = field(default_factory=set)
    by_account: dict[str, StoredAccount] = field(default_factory=dict)
    dataset: Dataset | None = None

    @property
    def sync_number(self) -> int:
        """The highest number of a stored sync; 0 without any."""
        return max((account.sync_number for account in self.by_account.values()), default=0)

    def account(self, account_id: str) -> StoredAccount:
        """The stored state of an account; empty if it is new."""
        return self.by_account.get(account_id) or StoredAccount()

    def documents_after(self, change_ids: Collection[str]) -> dict[str, JSON]:
        """The documents after logged changes, by `change_id`, redacted.

        Source: `oauth_client_changes`, one query for each 500.
        """
        ids = sorted(change_ids)
        documents: dict[str, JSON] = {}
        for start in range(0, len(ids), IDS_PER_QUERY):
            # Ids are hexadecimal hashes made by this project, so they need no quoting.
            listed = ", ".join(f"'{change_id}'" for change_id in ids[start : start + IDS_PER_QUERY])
            for change_id, document in _rows(
                self.dataset,
                f"SELECT change_id, document_after FROM oauth_client_changes WHERE change_id IN ({listed})",
            ):
                # Again, because an older release may have stored what this one takes for a secret.
                documents[change_id] = redacted(
                    json.loads(document) if isinstance(document, str) else document
                )
        return documents


def read_stored_state(pipeline: dlt.Pipeline | None) -> StoredState:
    """Read the stored state of the pipeline's dataset; empty without a pipeline or a dataset.

    Source: one query for each of `accounts`, `oauth_scopes`, `rejected_rows`, `oauth_clients`,
    `oauth_client_changes` and `account_syncs`.

    Raises:
        Exception: as the destination raises it, if it cannot be read.
    """
    if pipeline is None or pipeline.destination is None:
        return StoredState()
    # The declared schema, not the pipeline's: its local copy may be missing, or belong to another dataset.
    dataset = pipeline.dataset(schema=declared_schema())
    stored = StoredState(
        accounts=dict(_rows(dataset, "SELECT account_id, content_hash FROM accounts")),
        rejections={row[0] for row in _rows(dataset, "SELECT rejection_id FROM rejected_rows")},
        dataset=dataset,
    )

    def account(account_id: str) -> StoredAccount:
        return stored.by_account.setdefault(account_id, StoredAccount())

    content_hash = "content_hash"
    if not pipeline.destination.capabilities().supports_ddl_transactions:
        content_hash = _HASH_IF_COMPLETED
    # A duplicated row cannot be up to date, so it is written again: dlt leaves two where it repeats a load
    # job that was killed (its issue 3023).
    for scope_id, scope_hash in _rows(dataset, f"SELECT id, {content_hash} FROM oauth_scopes"):
        stored.scopes[scope_id] = scope_hash if scope_id not in stored.scopes else UNSURE
    for account_id, client_id, client_hash in _rows(
        dataset, f"SELECT account_id, client_id, {content_hash} FROM oauth_clients"
    ):
        hashes = account(account_id).client_hashes
        hashes[client_id] = client_hash if client_id not in hashes else UNSURE
    for account_id, client_id, change_id, content_hash in _rows(dataset, _LAST_CHANGES):
        account(account_id).last_changes[client_id] = LoggedChange(change_id, content_hash)
    for (account_id,) in _rows(dataset, _BASELINED_ACCOUNTS):
        account(account_id).baselined = True
    _read_account_syncs(dataset, account)
    return stored


def _read_account_syncs(dataset: Dataset, account: Callable[[str], StoredAccount]) -> None:
    """Read the last number of each account, and what its last complete reading has left behind."""
    columns = _columns(dataset, "account_syncs")
    # An older release has made the table without them.
    number = "s.sync_number" if "sync_number" in columns else "0"
    withheld = "s.withheld_clients" if "withheld_clients" in columns else "NULL"
    if "sync_number" in columns:
        for account_id, last in _rows(dataset, _LAST_NUMBERS):
            account(account_id).sync_number = last or 0
    for account_id, *row in _rows(dataset, _COMPLETE_READINGS.format(number=number, withheld=withheld)):
        status, finished_at, listed, new, deletes_withheld, text = row
        one = account(account_id)
        one.completed_at = finished_at if status == "complete" else None
        one.last_listed = listed
        one.withheld = withheld_from_text(text)
        if text is None and deletes_withheld:
            # An older release did not say which: all that are missing now.
            share = min(Fraction(1), Fraction(deletes_withheld, max(1, listed - new + deletes_withheld)))
            one.withheld = dict.fromkeys(one.known, share)


# Where the tables are not written in one transaction, an incomplete load may have written a row without all
# elements of its arrays.
_HASH_IF_COMPLETED = f"""
CASE WHEN _dlt_load_id IN (SELECT load_id FROM _dlt_loads WHERE status = 0)
THEN content_hash ELSE '{UNSURE}' END
"""

# The last change is the one that no other change follows: times may be equal, or run backwards.
_LAST_CHANGES = """
SELECT c.account_id, c.client_id, c.change_id, c.content_hash
FROM oauth_client_changes AS c
LEFT JOIN oauth_client_changes AS later ON later.previous_change_id = c.change_id
WHERE later.change_id IS NULL
"""

# `account_syncs` and the log are not written in one transaction: a sync that claims to have logged changes of
# an account, but has none in the log, was killed between the two.
_BASELINED_ACCOUNTS = """
SELECT DISTINCT s.account_id
FROM account_syncs AS s
LEFT JOIN oauth_client_changes AS c ON c.sync_id = s.sync_id AND c.account_id = s.account_id
WHERE s.status IN ('complete', 'delete_blocked')
  AND (c.change_id IS NOT NULL OR s.baseline + s.created + s.updated + s.deleted = 0)
"""


_LAST_NUMBERS = "SELECT account_id, MAX(sync_number) AS sync_number FROM account_syncs GROUP BY account_id"

# Only of loads that dlt marked as complete: a killed one may have written this table and no other. The number
# decides which is the last, because clocks may run backwards; only an older release's rows have none.
_COMPLETE_READINGS = """
SELECT r.account_id, r.status, r.finished_at, r.listed, r.new, r.deletes_withheld, r.withheld_clients
FROM (
  SELECT s.account_id, s.status, s.finished_at, s.listed, s.created + s.baseline AS new, s.deletes_withheld,
    {withheld} AS withheld_clients,
    ROW_NUMBER() OVER (
      PARTITION BY s.account_id ORDER BY COALESCE({number}, 0) DESC, s.finished_at DESC, s.sync_id DESC
    ) AS place
  FROM account_syncs AS s
  JOIN _dlt_loads AS l ON l.load_id = s._dlt_load_id AND l.status = 0
  WHERE s.status IN ('complete', 'delete_blocked') AND s.rejected = 0
) AS r
WHERE r.place = 1
"""


def _columns(dataset: Dataset, table: str) -> set[str]:
    """The names of the columns that the table has in the destination; none if there is no such table."""
    with dataset.sql_client as client:
        query = f"SELECT * FROM {client.make_qualified_table_name(table)} WHERE 1 = 0"
        try:
            with client.execute_query(query) as cursor:
                return {column[0].lower() for column in cursor.description}
        except DestinationUndefinedEntity:
            return set()


def _rows(dataset: Dataset | None, query: str) -> Iterator[tuple[Any, ...]]:
    if dataset is None:
        return
    try:
        for rows in dataset.query(query).iter_fetch(ROWS_PER_FETCH):
            yield from rows
    except DestinationUndefinedEntity:
        # The table, or the whole dataset, does not exist yet.
        return
