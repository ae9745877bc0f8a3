"""The change log, read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudflare_oauth.records import OAUTH_CLIENT_CHANGES

from ..destinations.dataset import open_dataset
from ..destinations.target import Target
from .rules import literal

COLUMNS = tuple(column.name for column in OAUTH_CLIENT_CHANGES)


@dataclass(frozen=True)
class ChangeLog:
    """Rows of the change log, oldest first, and the names of accounts by id.

    `changed_fields` and the documents are JSON values; times are in UTC.
    """

    rows: list[dict[str, Any]]
    account_names: dict[str, str]


def read_changes(
    target: Target, *, since: datetime | None = None, account_ids: Sequence[str] = ()
) -> ChangeLog:
    """Read the change log.

    Source: the tables `oauth_client_changes` and `accounts`.

    Raises:
        DestinationError: the destination cannot be read, or has no such dataset yet.
    """
    conditions = ["TRUE"]
    if since is not None:
        conditions.append(f"observed_at >= CAST({literal(since.isoformat())} AS TIMESTAMP WITH TIME ZONE)")
    if account_ids:
        conditions.append(f"account_id IN ({', '.join(map(literal, account_ids))})")
    query = f"SELECT {', '.join(COLUMNS)} FROM oauth_client_changes WHERE {' AND '.join(conditions)}"
    with open_dataset(target) as dataset:
        rows = [_row(row) for row in dataset.query(query).dicts()]
        accounts = dataset.query("SELECT account_id, name FROM accounts").rows
    rows.sort(key=lambda row: (row["observed_at"], row["account_id"], row["client_id"]))
    return ChangeLog(rows, {account_id: name for account_id, name in accounts if name})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("changed_fields", "document_before", "document_after"):
        # Some destinations return JSON as text, others as values.
        if isinstance(row[name], str):
            row[name] = json.loads(row[name])
    row["observed_at"] = row["observed_at"].astimezone(UTC)
    return row
