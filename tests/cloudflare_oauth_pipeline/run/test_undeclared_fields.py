"""Fields that the API adds tomorrow: stored as they were sent, or rejected row by row."""

import json
from typing import Any

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.warehouses import Sync, Warehouse

A, B = account_id("a"), account_id("b")

Values = dict[str, Any]


def stored(warehouse: Warehouse, table: str, name: str) -> dict[str, Values]:
    """The values of a column and its variants, by client; nulls are left out."""
    return {
        row["client_id"]: {
            column: value
            for column, value in row.items()
            if (column == name or column.startswith(f"{name}__v_")) and value is not None
        }
        for row in warehouse.rows(table)
    }


def rejected(warehouse: Warehouse) -> dict[str, str]:
    """The reasons why clients were rejected, by client."""
    return {
        json.loads(row["document"])["client_id"]: row["reason"] for row in warehouse.rows("rejected_rows")
    }


VALUES: list[tuple[Any, Any, str]] = [
    (5, "007", "text"),
    (5, 1.5, "double"),
    (5, True, "bool"),
    (True, "yes", "text"),
    (True, 1, "bigint"),
    (1.5, "1e3", "text"),
    (1.5, 2**53 + 1, "bigint"),
    (1.5, 2, "bigint"),
    ("text", 7, "bigint"),
    ("text", False, "bool"),
    ("2026-06-03T00:00:00Z", 1780444800, "bigint"),
]


def test_a_value_of_another_type_is_stored_as_it_was_sent(
    api: FakeApi, sync_into: Sync, any_warehouse: Warehouse
) -> None:
    """The column keeps the type of the first value; others go to its variants: nothing is converted."""
    for number, (first, _, _) in enumerate(VALUES):
        api.organisation.add(A, client_id=f"{number}", **{f"new_{number}": first})
    sync_into(any_warehouse)
    for number, (_, later, _) in enumerate(VALUES):
        api.organisation.add(A, client_id=f"{number} later", **{f"new_{number}": later})

    for _ in range(2):
        summary = sync_into(any_warehouse)
        for number, (first, later, data_type) in enumerate(VALUES):
            found = stored(any_warehouse, "oauth_clients", f"new_{number}")
            assert found[f"{number}"] == {f"new_{number}": first}
            assert found[f"{number} later"] == {f"new_{number}__v_{data_type}": later}
            assert [type(value) for value in found[f"{number} later"].values()] == [type(later)]

    assert (summary.clients["unchanged"], summary.clients["updated"]) == (2 * len(VALUES), 0)


def test_values_of_several_types_may_come_at_once(
    api: FakeApi, sync_into: Sync, any_warehouse: Warehouse
) -> None:
    """In one account, in arrays and in objects; a change of type is a change like any other."""
    for number, value in enumerate([5, "007", 1.5, True, None]):
        api.organisation.add(A, client_id=f"{number}", new=value, inner={"deep": value}, many=[value, "a", 1])
    sync_into(any_warehouse)
    api.organisation.change(A, "0", new="5", inner={"deep": 5.0}, many=["5"])

    assert sync_into(any_warehouse).clients["updated"] == 1

    for name in ("new", "inner__deep"):
        found = stored(any_warehouse, "oauth_clients", name)
        sent = ["5" if name == "new" else 5.0, "007", 1.5, True]
        assert [list(found[f"{number}"].values()) for number in range(4)] == [[value] for value in sent]
        assert found["4"] == {}
    elements = [
        value
        for row in any_warehouse.rows("oauth_clients__many")
        for name, value in row.items()
        if name.startswith("value") and value is not None
    ]
    assert sorted(map(repr, elements)) == sorted(
        map(repr, ["5", "007", "a", 1, 1.5, "a", 1, True, "a", 1, "a", 1])
    )


ODD: dict[str, Values] = {
    "owner in an array": {"auths": [{"account_id": "f" * 32}]},
    "client in an array": {"auths": [{"client_id": "other"}]},
    "deeper": {"auths": {"list": [[{"clientId": "other"}]]}},
    "two spellings": {"pairs": [{"a": 1, "A": 2}]},
    "flat and nested": {"a__b": 1, "a": {"b": 2}},
    "row ids": {"rows": [{"_dlt_id": "x"}, {"_dlt_id": "x"}]},
    "our column": {"derived_version": 7},
    "another spelling of a declared field": {"redirectUris": ["https://a.example"]},
}


def test_names_that_would_meet_reject_one_client_and_no_other(
    api: FakeApi, sync_into: Sync, any_warehouse: Warehouse
) -> None:
    """Neither is one value lost under another's name, nor does the load fail."""
    for name, fields in ODD.items():
        api.organisation.add(A, client_id=name, **fields)
    api.organisation.add(A, client_id="good", rows=[{"id": 1}, {"id": 1}], pairs=[{"a": 1}])
    api.organisation.add(B, client_id="other account")

    summary = sync_into(any_warehouse)

    assert (summary.exit_code, summary.clients["rejected"]) == (3, len(ODD))
    assert rejected(any_warehouse).keys() == ODD.keys()
    assert {row["client_id"] for row in any_warehouse.rows("oauth_clients")} == {"good", "other account"}
    assert [row["id"] for row in any_warehouse.rows("oauth_clients__rows")] == [1, 1]


TOO_MUCH: dict[str, Values] = {
    "columns": {f"field_{number}": number for number in range(2_100)},
    "keys of an object": {"wide": {f"field_{number}": number for number in range(2_100)}},
    "keys of an element": {"list": [{f"field_{number}": number for number in range(2_100)}]},
    "tables": {f"array_{number}": [number] for number in range(300)},
}


def test_what_a_destination_cannot_hold_is_known_before_the_load(
    api: FakeApi, sync_into: Sync, any_warehouse: Warehouse
) -> None:
    """The row is rejected with its reason, once; every other client of every account is loaded."""
    odd = dict(TOO_MUCH)
    if any_warehouse.destination == "postgres":
        odd |= {name: {name: "x"} for name in ("xmin", "ctid", "tableoid")}
        odd |= {"system column of an element": {"list": [{"cmax": 1}]}}
        odd |= {"bytes of a row": {f"text_{number}": "x" * 100 for number in range(400)}}
        odd |= {"no\0text": {}}
    for name, fields in odd.items():
        api.organisation.add(A, client_id=name, **fields)
    api.organisation.add(A, client_id="good", field_1=1)
    api.organisation.add(B, client_id="other account")

    for _ in range(2):
        summary = sync_into(any_warehouse)
        assert (summary.exit_code, summary.clients["rejected"]) == (3, len(odd))
        assert rejected(any_warehouse).keys() == odd.keys()
        assert {row["client_id"] for row in any_warehouse.rows("oauth_clients")} == {"good", "other account"}


def test_a_table_never_gets_more_columns_than_it_may(
    api: FakeApi, sync_into: Sync, server: Any, tmp_path: Any
) -> None:
    """Many clients with some fields each are as much as one with many."""
    warehouse = server.emptied(tmp_path.name)
    for client in range(10):
        fields = {f"field_{client}_{number}": number for number in range(250)}
        api.organisation.add(A, client_id=f"{client}", **fields)

    summary = sync_into(warehouse)

    loaded = len(warehouse.rows("oauth_clients"))
    assert 0 < loaded < 10
    assert summary.clients["rejected"] == 10 - loaded
    assert sync_into(warehouse).clients["unchanged"] == loaded
