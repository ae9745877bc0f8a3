"""The change log, read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudflare_oauth.records import OAUTH_CLIENT_CHANGES

from ..destinations.dataset import open_dataset
from ..destinations.target import Target
from .change_order import in_order
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
        # The whole history of each client, because its order says more than times do.
        conditions.append(
            "EXISTS (SELECT 1 FROM oauth_client_changes AS recent WHERE recent.account_id = c.account_id "
            "AND recent.client_id = c.client_id "
            f"AND recent.observed_at >= CAST({literal(since.isoformat())} AS TIMESTAMP WITH TIME ZONE))"
        )
    if account_ids:
        conditions.append(f"account_id IN ({', '.join(map(literal, account_ids))})")
    query = f"SELECT {', '.join(COLUMNS)} FROM oauth_client_changes AS c WHERE {' AND '.join(conditions)}"
    with open_dataset(target) as dataset:
        rows = [_row(row) for row in dataset.query(query).dicts()]
        accounts = dataset.query("SELECT account_id, name FROM accounts").rows
    ordered = in_order(rows, datetime.now(UTC))
    rows = [row for seen_at, row in ordered if since is None or seen_at >= since]
    return ChangeLog(rows, {account_id: name for account_id, name in accounts if name})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("changed_fields", "document_before", "document_after"):
        # Some destinations return JSON as text, others as values.
        if isinstance(row[name], str):
            row[name] = json.loads(row[name])
    row["observed_at"] = row["observed_at"].astimezone(UTC)
    return row
