"""The change log, read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth.records.tables import OAUTH_CLIENT_CHANGES

from ..destinations.pipeline import open_for_reading
from ..destinations.target import Target
from ..errors import DestinationError

COLUMNS = tuple(column.name for column in OAUTH_CLIENT_CHANGES)
ROWS_PER_FETCH = 1_000


@dataclass(frozen=True)
class ChangeLog:
    """Rows of the change log, oldest first, and the names of accounts by id.

    `changed_fields` and the documents are JSON values, moments are in UTC.
    """

    rows: list[dict[str, Any]]
    account_names: dict[str, str]


def read_changes(
    target: Target, *, since: datetime | None = None, account_ids: Sequence[str] = ()
) -> ChangeLog:
    """Read the change log back.

    Source: the tables `oauth_client_changes` and `accounts`.

    Raises:
        SyncError: the destination cannot be read, or has no such dataset yet.
    """
    with open_for_reading(target) as pipeline:
        dataset = pipeline.dataset(schema=declared_schema())
        changes = dataset.table("oauth_client_changes").select(*COLUMNS).order_by("observed_at")
        if since is not None:
            changes = changes.where("observed_at", "gte", since)
        if account_ids:
            changes = changes.where("account_id", "in", list(account_ids))
        try:
            rows = [_row(values) for chunk in changes.iter_fetch(ROWS_PER_FETCH) for values in chunk]
            names = dict(dataset.table("accounts").select("account_id", "name").fetchall())
        except DestinationUndefinedEntity:
            raise DestinationError(f"{target} has no change log yet: run `cloudflare-oauth sync`") from None
    rows.sort(key=lambda row: (row["observed_at"], row["account_id"], row["client_id"]))
    return ChangeLog(rows, {account_id: name for account_id, name in names.items() if name})


def _row(values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(COLUMNS, values, strict=True))
    for name in ("changed_fields", "document_before", "document_after"):
        # Some destinations give JSON as text, others as values.
        if isinstance(row[name], str):
            row[name] = json.loads(row[name])
    row["observed_at"] = row["observed_at"].astimezone(UTC)
    return row
