"""Rebuild the documents that a dataset was loaded from, to compare them with those of the API."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

ARRAYS = (
    "redirect_uris",
    "scopes",
    "optional_scopes",
    "grant_types",
    "response_types",
    "allowed_cors_origins",
    "post_logout_redirect_uris",
)
TIMESTAMPS = ("created_at", "updated_at", "promoted_at")
FACTS = ("client_name_skeleton", "client_domain", "logo_domain", "policy_domain", "tos_domain")
OURS = ("account_id", "content_hash", "observed_at", "change_id", "derived_version", "_deleted", *FACTS)

Document = dict[str, Any]
Organisation = dict[str, dict[str, Document]]


def comparable(document: Document) -> Document:
    """Return a document as the tables preserve it: no nulls, arrays sorted, times in UTC."""
    result: Document = {}
    for name, value in document.items():
        if isinstance(value, dict):
            result |= {f"{name}__{inner}": item for inner, item in value.items() if item is not None}
        elif isinstance(value, list):
            if value:
                result[name] = sorted(value, key=repr)
        elif name in TIMESTAMPS and isinstance(value, str):
            result[name] = datetime.fromisoformat(value).astimezone(UTC)
        elif value is not None:
            result[name] = value
    return result


def stored(db: Path | str, dataset: str = "cloudflare") -> Organisation:
    """Return the clients in `oauth_clients` and its declared child tables, by account and client id."""
    organisation: Organisation = defaultdict(dict)
    with duckdb.connect(str(db), read_only=True) as connection:
        connection.sql("SET TimeZone = 'UTC'")
        clients = connection.table(f"{dataset}.oauth_clients")
        for values in clients.fetchall():
            row = dict(zip(clients.columns, values, strict=True))
            key = row["account_id"], row["client_id"]
            assert key[1] not in organisation[key[0]], f"{key} occurs twice"
            organisation[key[0]][key[1]] = {
                name: value.astimezone(UTC) if isinstance(value, datetime) else value
                for name, value in row.items()
                if value is not None and name not in OURS and not name.startswith("_dlt")
            }
        for array in ARRAYS:
            elements: dict[tuple[str, str], list[Any]] = defaultdict(list)
            query = f"SELECT account_id, client_id, value FROM {dataset}.oauth_clients__{array}"
            for account_id, client_id, value in connection.sql(query).fetchall():
                elements[account_id, client_id].append(value)
            for (account_id, client_id), values in elements.items():
                assert client_id in organisation[account_id], f"{array} of a client that does not exist"
                organisation[account_id][client_id][array] = sorted(values, key=repr)
    return {account_id: clients for account_id, clients in organisation.items() if clients}


def replayed(db: Path | str, dataset: str = "cloudflare") -> Organisation:
    """Return the clients that result from replaying the change log, by account and client id."""
    organisation: Organisation = defaultdict(dict)
    for row in log(db, dataset):
        account_id, client_id = row["account_id"], row["client_id"]
        before = organisation[account_id].pop(client_id, None)
        logged_before = row["document_before"]
        assert before == (comparable(json.loads(logged_before)) if logged_before else None)
        if row["document_after"]:
            organisation[account_id][client_id] = comparable(json.loads(row["document_after"]))
    return {account_id: clients for account_id, clients in organisation.items() if clients}


def log(db: Path | str, dataset: str = "cloudflare") -> list[dict[str, Any]]:
    """Return the rows of the change log, those of each client in the order of their chain."""
    with duckdb.connect(str(db), read_only=True) as connection:
        changes = connection.table(f"{dataset}.oauth_client_changes")
        rows = [dict(zip(changes.columns, values, strict=True)) for values in changes.fetchall()]
    followers = {row["previous_change_id"]: row for row in rows if row["previous_change_id"]}
    ordered: list[dict[str, Any]] = []
    for row in rows:
        follower = None if row["previous_change_id"] else row
        while follower is not None:
            ordered.append(follower)
            follower = followers.get(follower["change_id"])
    assert len(ordered) == len(rows), (
        "a change follows one that is not logged, or two changes follow the same one"
    )
    return ordered
