"""One client in full, and rows of the change log with their changes in words."""

from typing import Any

import pandas as pd

from cloudflare_oauth.records import ARRAYS, OAUTH_CLIENTS

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
        "SELECT observed_at, change, changed_fields, document_before, document_after "
        f"FROM oauth_client_changes WHERE {where} ORDER BY observed_at DESC"
    )
    return client, arrays, with_words(history)


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
