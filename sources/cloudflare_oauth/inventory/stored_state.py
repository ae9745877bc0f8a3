"""What the dataset holds already, read from the destination itself: no local state is trusted."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dlt
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationTransientException,
    DestinationUndefinedEntity,
)
from dlt.dataset import Dataset

from ..dlt_schema import declared_schema
from ..records.canonical import JSON

ROWS_PER_FETCH = 10_000
IDS_PER_QUERY = 500
# Each can lose against another process once for the dataset, once for the tables.
ATTEMPTS_TO_CREATE = 5
# The hash of no content: what has it is written anew.
UNSURE = ""


@dataclass(frozen=True)
class LoggedChange:
    """A client's last row in the change log; `content_hash` is None if that was its deletion."""

    change_id: str
    content_hash: str | None


@dataclass
class StoredAccount:
    """What is stored of one account's clients, by `client_id`; each table speaks for itself."""

    client_hashes: dict[str, str] = field(default_factory=dict)
    last_changes: dict[str, LoggedChange] = field(default_factory=dict)
    # Whether a sync had read the account completely, so that what is new now is newly created.
    baselined: bool = False
    # When the last sync that read and loaded it completely had read it.
    completed_at: datetime | None = None

    @property
    def known(self) -> dict[str, str]:
        """The hash of every client that exists, as far as either table knows; `UNSURE` if they disagree."""
        logged = {client: last.content_hash for client, last in self.last_changes.items()}
        known = {client: UNSURE for client, content_hash in logged.items() if content_hash is not None}
        for client, content_hash in self.client_hashes.items():
            known[client] = content_hash if logged.get(client) == content_hash else UNSURE
        return known


@dataclass
class StoredState:
    """What the dataset holds, as far as a comparison needs it."""

    accounts: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    rejections: set[str] = field(default_factory=set)
    by_account: dict[str, StoredAccount] = field(default_factory=dict)
    dataset: Dataset | None = None

    def account(self, account_id: str) -> StoredAccount:
        """What is stored of an account; nothing, if it is new."""
        return self.by_account.get(account_id) or StoredAccount()

    def documents_after(self, change_ids: Collection[str]) -> dict[str, JSON]:
        """The documents that logged changes ended with, by `change_id`.

        Source: `oauth_client_changes`, one query for each 500.
        """
        ids = sorted(change_ids)
        documents: dict[str, JSON] = {}
        for start in range(0, len(ids), IDS_PER_QUERY):
            # Ids are hexadecimal hashes of our own making, so they need no quoting.
            listed = ", ".join(f"'{change_id}'" for change_id in ids[start : start + IDS_PER_QUERY])
            for change_id, document in _rows(
                self.dataset,
                f"SELECT change_id, document_after FROM oauth_client_changes WHERE change_id IN ({listed})",
            ):
                documents[change_id] = json.loads(document) if isinstance(document, str) else document
        return documents


def read_stored_state(pipeline: dlt.Pipeline | None) -> StoredState:
    """Read what the pipeline's dataset holds; nothing, if there is no pipeline or no dataset yet.

    Source: one query for each of `accounts`, `oauth_scopes`, `rejected_rows`, `oauth_clients`,
    `oauth_client_changes` and `account_syncs`.

    Raises:
        Exception: whatever the destination raises if it cannot be read.
    """
    if pipeline is None or pipeline.destination is None:
        return StoredState()
    # Our own schema, not the pipeline's: its local copy may be missing, or be another dataset's.
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
    # A row that is there twice has no content that could be up to date, so it is written anew: dlt
    # leaves two where it repeats a load job that was killed (its issue 3023).
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
    for account_id, completed_at in _rows(dataset, _COMPLETED_ACCOUNTS):
        account(account_id).completed_at = completed_at
    return stored


def create_tables(pipeline: dlt.Pipeline | None) -> None:
    """Create the tables that the pipeline's dataset lacks: dlt makes only those that get data."""
    if pipeline is None or pipeline.destination is None:
        return
    for attempt in range(1, ATTEMPTS_TO_CREATE + 1):
        try:
            with pipeline.dataset(schema=declared_schema()).destination_client as client:
                client.initialize_storage()
                client.update_stored_schema()
        except (DestinationTerminalException, DestinationTransientException, FileExistsError):
            # Another process was just creating them too; what it made is seen by the next attempt.
            if attempt == ATTEMPTS_TO_CREATE:
                raise
        else:
            return


# Where tables are not written in one transaction, a load that was never completed may have written a row
# without all elements of its arrays.
_HASH_IF_COMPLETED = f"""
CASE WHEN _dlt_load_id IN (SELECT load_id FROM _dlt_loads WHERE status = 0)
THEN content_hash ELSE '{UNSURE}' END
"""

# The last change is the one that no other follows: times may be equal, or run backwards.
_LAST_CHANGES = """
SELECT c.account_id, c.client_id, c.change_id, c.content_hash
FROM oauth_client_changes AS c
LEFT JOIN oauth_client_changes AS later ON later.previous_change_id = c.change_id
WHERE later.change_id IS NULL
"""

# `account_syncs` and the log are not written in one transaction. A sync that says it logged
# something of an account, of which the log knows nothing, was killed between the two.
_BASELINED_ACCOUNTS = """
SELECT DISTINCT s.account_id
FROM account_syncs AS s
LEFT JOIN oauth_client_changes AS c ON c.sync_id = s.sync_id AND c.account_id = s.account_id
WHERE s.status IN ('complete', 'delete_blocked')
  AND (c.change_id IS NOT NULL OR s.baseline + s.created + s.updated + s.deleted = 0)
"""


# Not before dlt has put its mark under the load: a killed one may have written this table and no other.
_COMPLETED_ACCOUNTS = """
SELECT s.account_id, MAX(s.finished_at) AS completed_at
FROM account_syncs AS s
JOIN _dlt_loads AS l ON l.load_id = s._dlt_load_id AND l.status = 0
WHERE s.status = 'complete' AND s.rejected = 0
GROUP BY s.account_id
"""


def _rows(dataset: Dataset | None, query: str) -> Iterator[tuple[Any, ...]]:
    if dataset is None:
        return
    try:
        for rows in dataset.query(query).iter_fetch(ROWS_PER_FETCH):
            yield from rows
    except DestinationUndefinedEntity:
        # The table, or the whole dataset, does not exist yet.
        return
