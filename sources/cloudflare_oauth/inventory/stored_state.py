"""Reads what the dataset holds, from the destination itself: local state is never trusted."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.dataset import Dataset

from ..dlt_schema import StoredTables, declared_schema, merged_schema, read_stored_tables
from ..records import (
    DERIVED_VERSION,
    JSON,
    OAUTH_CLIENT_CHANGES,
    is_current_hash,
    json_text,
    redacted,
)
from .brake import withheld_from_text

ROWS_PER_FETCH = 10_000
IDS_PER_QUERY = 500
# Equals the hash of no content, so a row with it is written again.
UNSURE = ""


class StoredClient(NamedTuple):
    """A client's row; `change_id` is the logged change that it says it shows, None if it says nothing."""

    content_hash: str
    change_id: str | None = None


class LoggedChange(NamedTuple):
    """A client's last row in the change log; `content_hash` is None if that was its deletion."""

    change_id: str
    content_hash: str | None

    def is_shown_by(self, client: StoredClient) -> bool:
        """Whether the client's row is what this change has logged."""
        if self.content_hash is None or client.change_id != self.change_id:
            return False
        # The log keeps the hash that an older release made; the row has been hashed anew.
        return client.content_hash == self.content_hash or not is_current_hash(self.content_hash)


@dataclass
class StoredAccount:
    """The stored state of one account's clients, by `client_id`, separately for each table."""

    clients: dict[str, StoredClient] = field(default_factory=dict)
    last_changes: dict[str, LoggedChange] = field(default_factory=dict)
    # The number of syncs that have written the account.
    syncs: int = 0
    # Whether an earlier sync read the account completely, so that a new client was created since.
    baselined: bool = False
    # When the last sync that read and loaded it completely finished reading; None if deletions were withheld.
    completed_at: datetime | None = None
    # The number of clients that it listed.
    last_listed: int | None = None
    # The number of clients after the last sync that was loaded completely; None if none read it completely.
    loaded: int | None = None
    # What it withheld, each with the smallest `max_delete_fraction` that lets it go.
    withheld: dict[str, Fraction] = field(default_factory=dict)
    # The highest number of a sync that has a row for the account.
    sync_number: int = 0

    @property
    def known(self) -> dict[str, str]:
        """The hash of every client that exists according to either table; `UNSURE` if they disagree."""
        logged = self.last_changes
        known = {client: UNSURE for client, last in logged.items() if last.content_hash is not None}
        for client_id, client in self.clients.items():
            last = logged.get(client_id)
            known[client_id] = client.content_hash if last and last.is_shown_by(client) else UNSURE
        return known


@dataclass
class StoredState:
    """The part of the dataset that a comparison needs."""

    accounts: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    rejections: set[str] = field(default_factory=set)
    by_account: dict[str, StoredAccount] = field(default_factory=dict)
    tables: StoredTables = field(default_factory=dict)
    dataset: Dataset | None = None
    # The condition that a row's load was completed, where a load writes its tables one by one.
    completed: str = "1 = 1"

    @cached_property
    def schema(self) -> Schema:
        """What is declared, and what the dataset has learned; do not modify it."""
        return merged_schema(self.tables)

    @property
    def sync_number(self) -> int:
        """The highest number of a stored sync; 0 without any."""
        return max((account.sync_number for account in self.by_account.values()), default=0)

    def account(self, account_id: str) -> StoredAccount:
        """The stored state of an account; empty if it is new."""
        return self.by_account.get(account_id) or StoredAccount()

    def known(self, account_id: str) -> dict[str, str] | None:
        """`StoredAccount.known` of an account; None if there is nothing of it."""
        return self.by_account[account_id].known if account_id in self.by_account else None

    def overtaken_accounts(self, account_ids: Collection[str | None]) -> set[str]:
        """Those of these accounts that another sync has written since this state was read.

        Source: `account_syncs`, one query for each 500.
        """
        return {
            account_id
            for ids in _listed(account_ids)
            for account_id, syncs in _rows(
                self.dataset,
                f"{_SYNCS} WHERE account_id IN ({ids}) GROUP BY account_id",
            )
            if syncs != self.account(account_id).syncs
        }

    def without_overtaken(self, table: str, rows: list[JSON]) -> list[JSON]:
        """The rows of accounts or scopes without those that another sync has written meanwhile.

        Source: `accounts` and `oauth_scopes`, if there are rows of them.
        """
        if not rows or table not in ("accounts", "oauth_scopes"):
            return rows
        key, stored, read = {
            "accounts": ("account_id", self.accounts, _read_accounts),
            "oauth_scopes": ("id", self.scopes, _read_scopes),
        }[table]
        now = read(self.dataset, self.completed)
        return [row for row in rows if now.get(row[key]) == stored.get(row[key])]

    def outdated_changes(self) -> Iterator[list[JSON]]:
        """Logged changes whose derived columns older rules have computed, 500 at a time.

        Source: `oauth_client_changes`.
        """
        if "oauth_client_changes" not in self.tables:
            # What is there by now, this sync has logged.
            return
        existing = self.tables["oauth_client_changes"]["columns"]
        version = "COALESCE(derived_version, 1)" if "derived_version" in existing else "1"
        query = f"SELECT change_id FROM oauth_client_changes WHERE {version} <> {DERIVED_VERSION}"
        columns = [column.name for column in OAUTH_CLIENT_CHANGES if column.name in existing]
        for ids in _listed([row[0] for row in _rows(self.dataset, query)]):
            rows = _rows(
                self.dataset,
                f"SELECT {', '.join(columns)} FROM oauth_client_changes WHERE change_id IN ({ids})",
            )
            yield [_as_written(dict(zip(columns, row, strict=True))) for row in rows]

    def observed_before(self, account_id: str) -> dict[str, datetime]:
        """When the stored content of an account's clients was first seen, by client.

        Source: `oauth_clients`.
        """
        query = f"SELECT client_id, observed_at FROM oauth_clients WHERE account_id = '{account_id}'"
        return {client_id: as_utc(at) for client_id, at in _rows(self.dataset, query) if at is not None}

    def documents_after(self, change_ids: Collection[str]) -> dict[str, JSON]:
        """The documents after logged changes, by `change_id`, redacted.

        Source: `oauth_client_changes`, one query for each 500.
        """
        documents: dict[str, JSON] = {}
        for ids in _listed(change_ids):
            for change_id, document in _rows(
                self.dataset,
                f"SELECT change_id, document_after FROM oauth_client_changes WHERE change_id IN ({ids})",
            ):
                # Again, because an older release may have stored what this one takes for a secret.
                documents[change_id] = redacted(
                    json.loads(document) if isinstance(document, str) else document
                )
        return documents


def read_stored_state(pipeline: dlt.Pipeline | None) -> StoredState:
    """Read the stored state of the pipeline's dataset; empty without a pipeline or a dataset.

    Source: `_dlt_version`, and one query or two for each of `accounts`, `oauth_scopes`, `rejected_rows`,
    `oauth_clients`, `oauth_client_changes` and `account_syncs`.

    Raises:
        DestinationError: a newer release has written to the dataset.
        Exception: as the destination raises it, if it cannot be read.
    """
    if pipeline is None or pipeline.destination is None:
        return StoredState()
    # The declared schema, not the pipeline's: its local copy may be missing, or belong to another dataset.
    dataset = pipeline.dataset(schema=declared_schema())
    stored = StoredState(tables=read_stored_tables(pipeline), dataset=dataset)
    if not pipeline.destination.capabilities().supports_ddl_transactions:
        stored.completed = "_dlt_load_id IN (SELECT load_id FROM _dlt_loads WHERE status = 0)"

    def account(account_id: str) -> StoredAccount:
        return stored.by_account.setdefault(account_id, StoredAccount())

    # First, so that what another sync writes meanwhile is noticed.
    for account_id, syncs in _rows(dataset, f"{_SYNCS} GROUP BY account_id"):
        account(account_id).syncs = syncs
    stored.accounts.update(_read_accounts(dataset, stored.completed))
    stored.scopes.update(_read_scopes(dataset, stored.completed))
    stored.rejections.update(row[0] for row in _rows(dataset, "SELECT rejection_id FROM rejected_rows"))
    for account_id, client_id, client_hash, change_id in _rows(
        dataset, _clients_query(stored.tables, stored.completed)
    ):
        # A duplicated row cannot be up to date, so it is written again: dlt leaves two where it
        # repeats a load job that was killed (its issue 3023).
        clients = account(account_id).clients
        is_sure = is_current_hash(client_hash) and client_id not in clients
        clients[client_id] = StoredClient(client_hash if is_sure else UNSURE, change_id)
    for account_id, client_id, change_id, content_hash in _rows(dataset, _LAST_CHANGES):
        account(account_id).last_changes[client_id] = LoggedChange(change_id, content_hash)
    for (account_id,) in _rows(dataset, _BASELINED_ACCOUNTS):
        account(account_id).baselined = True
    _read_account_syncs(dataset, stored.tables, account)
    return stored


def _read_accounts(dataset: Dataset | None, _completed: str) -> dict[str, str]:
    return dict(_rows(dataset, "SELECT account_id, content_hash FROM accounts"))


def _read_scopes(dataset: Dataset | None, completed: str) -> dict[str, str]:
    hash_ = f"CASE WHEN {completed} THEN content_hash ELSE '{UNSURE}' END AS content_hash"
    scopes: dict[str, str] = {}
    for scope_id, content_hash in _rows(dataset, f"SELECT id, {hash_} FROM oauth_scopes"):
        # A duplicated row cannot be up to date: see `read_stored_state`.
        scopes[scope_id] = content_hash if scope_id not in scopes else UNSURE
    return scopes


def _clients_query(tables: StoredTables, completed: str) -> str:
    """The rows of `oauth_clients`; with no hash if older rules computed columns, or the load was cut off."""
    columns = tables["oauth_clients"]["columns"] if "oauth_clients" in tables else {}
    # An older release may have made the table.
    version = "COALESCE(derived_version, 1)" if "derived_version" in columns else "1"
    change_id = "change_id" if "change_id" in columns else "NULL"
    is_current = f"{completed} AND {version} = {DERIVED_VERSION}"
    return (
        f"SELECT account_id, client_id, CASE WHEN {is_current} THEN content_hash ELSE '{UNSURE}' END "
        f"AS content_hash, {change_id} AS change_id FROM oauth_clients"
    )


_SYNCS = "SELECT account_id, COUNT(*) AS syncs FROM account_syncs"


def _read_account_syncs(
    dataset: Dataset, tables: StoredTables, account: Callable[[str], StoredAccount]
) -> None:
    """Read the last number of each account, and what its last complete reading has left behind."""
    columns = tables["account_syncs"]["columns"] if "account_syncs" in tables else {}
    # An older release has made the table without them.
    number = "s.sync_number" if "sync_number" in columns else "0"
    withheld = "s.withheld_clients" if "withheld_clients" in columns else "NULL"
    in_part = "COALESCE(s.rejected_in_part, 0)" if "rejected_in_part" in columns else "0"
    if "sync_number" in columns:
        for account_id, last in _rows(dataset, _LAST_NUMBERS):
            account(account_id).sync_number = last or 0
    readings = _COMPLETE_READINGS.format(
        complete=_COMPLETE.format(in_part=in_part),
        newest_first=_NEWEST_FIRST.format(number=number),
        withheld=withheld,
    )
    for account_id, *row in _rows(dataset, readings):
        status, finished_at, listed, new, deletes_withheld, new_since, text = row
        one = account(account_id)
        one.completed_at = finished_at if status == "complete" else None
        one.last_listed = listed
        # PostgreSQL sums whole numbers to a decimal one.
        one.loaded = listed + deletes_withheld + int(new_since or 0)
        one.withheld = withheld_from_text(text)
        if text is None and deletes_withheld:
            # An older release did not say which: all that are missing now.
            share = min(Fraction(1), Fraction(deletes_withheld, max(1, listed - new + deletes_withheld)))
            one.withheld = dict.fromkeys(one.known, share)


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
SELECT r.account_id, r.status, r.finished_at, r.listed, r.new, r.deletes_withheld, r.new_since,
  r.withheld_clients
FROM (
  SELECT s.account_id, s.status, s.finished_at, s.listed, s.created + s.baseline AS new, s.deletes_withheld,
    {withheld} AS withheld_clients, {complete} AS is_complete,
    SUM(COALESCE(s.created, 0) + COALESCE(s.baseline, 0)) OVER (
      PARTITION BY s.account_id ORDER BY {newest_first} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS new_since,
    ROW_NUMBER() OVER (PARTITION BY s.account_id, {complete} ORDER BY {newest_first}) AS place
  FROM account_syncs AS s
  JOIN _dlt_loads AS l ON l.load_id = s._dlt_load_id AND l.status = 0
) AS r
WHERE r.is_complete = 1 AND r.place = 1
"""
# A row that was loaded without some fields was read.
_COMPLETE = (
    "CASE WHEN s.status IN ('complete', 'delete_blocked') AND s.rejected = {in_part} THEN 1 ELSE 0 END"
)
_NEWEST_FIRST = "COALESCE({number}, 0) DESC, s.finished_at DESC, s.sync_id DESC"


def as_utc(moment: datetime) -> datetime:
    """A time as the destination returns it, in UTC; Delta tables have times without a zone."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_written(change: JSON) -> JSON:
    """A row of the change log as the sync that logged it had written it: JSON is text, and null is absent."""
    return {
        name: value if isinstance(value, str | datetime | bool) else json_text(value)
        for name, value in change.items()
        if value is not None
    }


def _listed(ids: Collection[str | None]) -> Iterator[str]:
    """Ids as lists for SQL, 500 at a time; they are hexadecimal, so they need no quoting."""
    wanted = sorted(filter(None, ids))
    for start in range(0, len(wanted), IDS_PER_QUERY):
        yield ", ".join(f"'{one}'" for one in wanted[start : start + IDS_PER_QUERY])


def _rows(dataset: Dataset | None, query: str) -> Iterator[tuple[Any, ...]]:
    if dataset is None:
        return
    try:
        for rows in dataset.query(query).iter_fetch(ROWS_PER_FETCH):
            yield from rows
    except DestinationUndefinedEntity:
        # The table, or the whole dataset, does not exist yet.
        return
