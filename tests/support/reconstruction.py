"""Rebuild the documents that a dataset was loaded from, to compare them with those of the API.

Scalars are compared by their `repr`, because to Python 1, 1.0 and True are equal.
"""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from dlt.common.normalizers.naming.snake_case import NamingConvention

from tests.support.warehouses import Rows, Warehouse

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
FACTS = (
    "client_name_skeleton",
    *(f"{shown}_domain" for shown in ("client", "logo", "policy", "tos")),
    *(f"{shown}_uri_scheme" for shown in ("client", "logo", "policy", "tos")),
    *(f"{shown}_uri_has_userinfo" for shown in ("client", "logo", "policy", "tos")),
)
OURS = ("account_id", "content_hash", "observed_at", "change_id", "derived_version", "_deleted", *FACTS)
CLIENTS = "oauth_clients"

_VARIANT = re.compile(r"(.+)__v_(text|bigint|double|bool|timestamp)")
_spelled = NamingConvention().normalize_path

Document = dict[str, Any]
Organisation = dict[str, dict[str, Document]]


def comparable(document: Document, *, ordered: bool = False) -> Document:
    """Return a document as the tables preserve it: flat, without nulls, each element of an array a row.

    Arrays are sorted, unless `ordered`.
    """
    result: Document = {}
    for name, value in document.items():
        name = _spelled(name)
        if isinstance(value, dict):
            inner = comparable(value, ordered=ordered)
            result |= {f"{name}__{path}": item for path, item in inner.items()}
        elif isinstance(value, list):
            if value:
                result[name] = _arranged([_element(item, ordered) for item in value], ordered)
        elif name in TIMESTAMPS and isinstance(value, str):
            result[name] = _scalar(datetime.fromisoformat(value))
        elif value is not None:
            result[name] = _scalar(value)
    return result


def stored(warehouse: Warehouse) -> Organisation:
    """Return the clients in `oauth_clients` and its child tables, by account and client id."""
    return clients_in(warehouse.everything())


def clients_in(tables: dict[str, Rows], *, ordered: bool = False) -> Organisation:
    """Return the clients in these tables, by account and client id.

    Raises:
        AssertionError: the tables do not fit together.
    """
    clients = tables[CLIENTS]
    # Each row with its table, its root row, and its children by array and position.
    roots = {row["_dlt_id"]: row for row in clients}
    assert len(roots) == len(clients), "a _dlt_id occurs twice"
    forms = {id_: _columns(row, (*OURS,)) for id_, row in roots.items()}
    root_of = {id_: id_ for id_ in roots}
    table_of = dict.fromkeys(roots, CLIENTS)
    children: dict[tuple[str, str], dict[int, Document]] = defaultdict(dict)
    # Parents first: the name of a nested table begins with its parent's.
    for table in sorted(name for name in tables if name.startswith(f"{CLIENTS}__")):
        for row in tables[table]:
            id_, parent, index = row["_dlt_id"], row["_dlt_parent_id"], row["_dlt_list_idx"]
            assert parent in forms, f"a row of {table} without a parent: {row}"
            assert id_ not in forms, f"the _dlt_id of a row of {table} occurs twice: {row}"
            root = roots[root_of[parent]]
            assert row["_dlt_root_id"] == root["_dlt_id"]
            assert (row["account_id"], row["client_id"]) == (root["account_id"], root["client_id"])
            declared = table in {f"{CLIENTS}__{array}" for array in ARRAYS}
            columns = {"value": row["value"]} if declared else row
            forms[id_] = _columns(columns, ("account_id", "client_id"))
            root_of[id_], table_of[id_] = root["_dlt_id"], table
            siblings = children[parent, table.removeprefix(f"{table_of[parent]}__")]
            assert index not in siblings, f"two elements of {table} have one position: {row}"
            siblings[index] = forms[id_]
    # Children first: what is sorted by its content has to be complete.
    for (parent, array), elements in reversed(children.items()):
        assert sorted(elements) == list(range(len(elements))), f"positions in {array}: {sorted(elements)}"
        assert array not in forms[parent], f"{array} is both an array and a column: {forms[parent]}"
        forms[parent][array] = _arranged([elements[index] for index in sorted(elements)], ordered)
    organisation: Organisation = defaultdict(dict)
    for id_, row in roots.items():
        account_id, client_id = row["account_id"], row["client_id"]
        assert client_id not in organisation[account_id], f"{account_id, client_id} occurs twice"
        organisation[account_id][client_id] = forms[id_]
    return dict(organisation)


def log(warehouse: Warehouse) -> Rows:
    """Return the rows of the change log, those of each client in the order of their chain."""
    return log_in(warehouse.everything())


def replayed(warehouse: Warehouse) -> Organisation:
    """Return the clients that result from replaying the change log, by account and client id."""
    organisation: Organisation = defaultdict(dict)
    for row in log(warehouse):
        account_id, client_id = row["account_id"], row["client_id"]
        before = organisation[account_id].pop(client_id, None)
        logged_before = row["document_before"]
        assert before == (comparable(logged_before) if logged_before else None)
        if row["document_after"]:
            organisation[account_id][client_id] = comparable(row["document_after"])
    return {account_id: clients for account_id, clients in organisation.items() if clients}


def log_in(tables: dict[str, Rows]) -> Rows:
    """Return the rows of the change log, as `log` does, from these tables."""
    rows = [
        row | {name: _parsed(row[name]) for name in ("document_before", "document_after", "changed_fields")}
        for row in tables["oauth_client_changes"]
    ]
    followers = {row["previous_change_id"]: row for row in rows if row["previous_change_id"]}
    ordered: Rows = []
    for row in rows:
        follower = None if row["previous_change_id"] else row
        while follower is not None:
            ordered.append(follower)
            follower = followers.get(follower["change_id"])
    assert len(ordered) == len(rows), (
        "a change follows one that is not logged, or two changes follow the same one"
    )
    return ordered


def _element(value: Any, ordered: bool) -> Document:
    """An element of an array as a row of its own."""
    if isinstance(value, dict):
        return comparable(value, ordered=ordered)
    return comparable({"list" if isinstance(value, list) else "value": value}, ordered=ordered)


def _columns(row: Document, ours: tuple[str, ...]) -> Document:
    """The values of a row by field; a column and its variants are one field, which has one value."""
    result: Document = {}
    for name, value in row.items():
        if value is None or name in ours or name.startswith("_dlt"):
            continue
        variant = _VARIANT.fullmatch(name)
        field = variant[1] if variant else name
        assert field not in result, f"{field} has two values: {row}"
        result[field] = _scalar(value)
    return result


def _scalar(value: Any) -> str:
    return repr(value.astimezone(UTC) if isinstance(value, datetime) else value)


def _arranged(elements: list[Document], ordered: bool) -> list[Document]:
    return elements if ordered else sorted(elements, key=lambda one: json.dumps(one, sort_keys=True))


def _parsed(value: Any) -> Any:
    """JSON as a value; DuckDB returns it as text, PostgreSQL parsed."""
    return json.loads(value) if isinstance(value, str) else value
