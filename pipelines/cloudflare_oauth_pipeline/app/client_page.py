"""One client in full, and rows of the change log with their changes in words."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from cloudflare_oauth.records import ARRAYS, OAUTH_CLIENTS

from ..analysis.change_order import in_order
from ..analysis.change_text import in_words
from ..analysis.rules import literal
from .frames import Data


def one_client(
    data: Data, account_id: str, client_id: str
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Read a client in full.

    Returns:
        Its fields by name, the elements of its arrays by name, and its change history, the latest change
        first, with `observed_at`, `change` and `what` (see `with_words`).
    """
    where = f"account_id = {literal(account_id)} AND client_id = {literal(client_id)}"
    fields = ", ".join(column.name for column in OAUTH_CLIENTS if not column.name.startswith("_"))
    rows = data.frame(f"SELECT {fields} FROM oauth_clients WHERE {where}")
    client = {} if rows.empty else rows.iloc[0].to_dict()
    arrays = {
        name: list(
            data.frame(f"SELECT value FROM oauth_clients__{name} WHERE {where} ORDER BY _dlt_list_idx")[
                "value"
            ]
        )
        for name in ARRAYS
    }
    history = data.frame(
        "SELECT change_id, previous_change_id, account_id, client_id, observed_at, change, changed_fields, "
        f"document_before, document_after FROM oauth_client_changes WHERE {where}"
    )
    return client, arrays, with_words(latest_first(history))


def latest_first(changes: pd.DataFrame) -> pd.DataFrame:
    """Whole histories of clients, the latest change first; no time is in the future (see `in_order`)."""
    keys = ["change_id", "previous_change_id", "account_id", "client_id", "observed_at"]
    rows = changes.assign(place=range(len(changes)))[[*keys, "place"]].astype("object").to_dict("records")
    ordered = in_order(rows, datetime.now(UTC))[::-1]
    seen = pd.Series([seen_at for seen_at, _ in ordered], dtype=changes["observed_at"].dtype)
    return changes.iloc[[row["place"] for _, row in ordered]].reset_index(drop=True).assign(observed_at=seen)


def with_words(changes: pd.DataFrame) -> pd.DataFrame:
    """Add the column `what` to rows of the change log: a list of lines that say what changed."""
    what = [in_words(row) for row in changes.astype("object").to_dict("records")]
    return changes.assign(what=pd.Series(what, index=changes.index, dtype="object"))


def with_documents(data: Data, changes: pd.DataFrame) -> pd.DataFrame:
    """Add `changed_fields` and the documents before and after to rows of the change log, by `change_id`."""
    ids = ", ".join(literal(str(change_id)) for change_id in changes["change_id"]) or "NULL"
    documents = data.frame(
        "SELECT change_id, changed_fields, document_before, document_after "
        f"FROM oauth_client_changes WHERE change_id IN ({ids})"
    )
    return changes.merge(documents, on="change_id", how="left")
