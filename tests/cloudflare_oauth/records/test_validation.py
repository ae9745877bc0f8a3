"""Which items are loaded, rejected or redacted, and which differences change the content hash."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudflare_oauth.api.listing import Page, Reading
from cloudflare_oauth.records.canonical import changed_fields, content_hash
from cloudflare_oauth.records.redaction import looks_secret, redacted
from cloudflare_oauth.records.validation import Rejection, Row
from cloudflare_oauth.resources import OAUTH_CLIENT


def checked(**fields: Any) -> Row | Rejection:
    return OAUTH_CLIENT.row_type.check({"client_id": "1", "visibility": "private", **fields})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", "not an object but a text"),
        (7, "not an object but a number"),
        (None, "not an object but null"),
        ([], "not an object but an array"),
        ({}, "no client_id"),
        ({"client_id": ""}, "no client_id"),
        ({"client_id": 7}, "no client_id"),
        ({"client_id": None}, "no client_id"),
        ({"client_id": "1", "client_name": 7}, "client_name: not a text but a number"),
        ({"client_id": "1", "client_name": ["a"]}, "client_name: not a text but an array"),
        ({"client_id": "1", "has_rotated_secret": 1}, "has_rotated_secret: not a bool but a number"),
        ({"client_id": "1", "created_at": "yesterday"}, "created_at: not an RFC 3339 timestamp: 'yesterday'"),
        ({"client_id": "1", "created_at": "2026-02-30T00:00:00Z"}, "created_at: not an RFC 3339 timestamp"),
        ({"client_id": "1", "created_at": "2026-01-01T00:00:00"}, "created_at: not an RFC 3339 timestamp"),
        ({"client_id": "1", "created_at": 1760000000}, "created_at: not a timestamp but a number"),
        ({"client_id": "1", "scopes": "zone.read"}, "scopes: not an array but a text"),
        ({"client_id": "1", "scopes": {"a": 1}}, "scopes: not an array but an object"),
        ({"client_id": "1", "scopes": [["a"]]}, "scopes: not a text but an array"),
        ({"client_id": "1", "scopes": ["a", 7]}, "scopes: not a text but a number"),
        ({"client_id": "1", "client_uri_verification": "ok"}, "client_uri_verification: not an object"),
        (
            {"client_id": "1", "client_uri_verification": {"status": 1}},
            "client_uri_verification__status: not",
        ),
        ({"client_id": "1", "client_name": "\ud800"}, "client_name: half a surrogate pair"),
        ({"client_id": "1", "new": 2**63}, "new: a number of more than 64 bits"),
        ({"client_id": "1", "new": [{"deep": -(2**63) - 1}]}, "new: a number of more than 64 bits"),
        ({"client_id": "1", "new": float("inf")}, "new: a number too large"),
        ({"client_id": "1", "new": "\uf0261.5"}, "new: starts with a private-use character"),
        (
            {"client_id": "1", "clientName": "a", "client_name": "b"},
            "two fields would share the column client_name",
        ),
        ({"client_id": "1", "_dlt_id": "x"}, "two fields would share the column _dlt_id"),
        ({"client_id": "1", "content_hash": "x"}, "two fields would share the column content_hash"),
        ({"client_id": "1", "a_b": 1, "aB": 2}, "two fields would share the column a_b"),
        ({"client_id": "1", "a__b": 1, "a": {"b": 2}}, "two fields would share the column a__b"),
        ({"client_id": "1", "a__b": [1], "a": {"b": [2]}}, "two fields would share the column a__b"),
        ({"client_id": "1", "a__b": [1], "a": [{"b": [2]}]}, "two arrays would share the table a__b"),
        ({"client_id": "1", "clientName": "a"}, "two fields would share the column client_name"),
        ({"client_id": "1", "redirectUris": ["a"]}, "two fields would share the column redirect_uris"),
        ({"client_id": "1", "client_uri_verification__status": "verified"}, "two fields would share the col"),
        ({"client_id": "1", "new__v_text": "a"}, "two fields would share the column new__v_text"),
        ({"client_id": "1", "change_id": "x"}, "two fields would share the column change_id"),
        ({"client_id": "1", "new": [{"account_id": "f"}]}, "two fields would share the column account_id"),
        ({"client_id": "1", "new": [{"clientId": "f"}]}, "two fields would share the column client_id"),
        (
            {"client_id": "1", "new": [{"deep": [{"account_id": "f"}]}]},
            "two fields would share the column acc",
        ),
        (
            {"client_id": "1", "new": {"in": [{"account_id": "f"}]}},
            "two fields would share the column account",
        ),
        ({"client_id": "1", "new": [[{"client_id": "f"}]]}, "two fields would share the column client_id"),
        ({"client_id": "1", "new": [{"a": 1, "A": 2}]}, "two fields would share the column a"),
        (
            {"client_id": "1", "new": {"a": {"b": 1}, "a__b": 2}},
            "two fields would share the column new__a__b",
        ),
        ({"client_id": "1", "new": [{"_dlt_id": "x"}]}, "two fields would share the column _dlt_id"),
        ({"client_id": "1", "new": [{"_dlt_parent_id": "x"}]}, "two fields would share the column _dlt_par"),
        ({"client_id": "1", "new": [{"a": {"_dlt_x": "x"}, "a___dlt_x": 1}]}, "two fields would share the"),
        ({"client_id": "1", "new": {"\ud800": 1}}, "a field's name: half a surrogate pair"),
        ({"client_id": "1", "new": [{"\udfff": 1}]}, "a field's name: half a surrogate pair"),
    ],
)
def test_an_item_that_cannot_be_loaded_is_rejected_with_a_reason(item: Any, reason: str) -> None:
    """It is not an object, has no id or a field of the wrong type, or cannot be stored."""
    rejection = OAUTH_CLIENT.row_type.check(item)

    assert isinstance(rejection, Rejection)
    assert rejection.reason.startswith(reason)
    if isinstance(item, dict):
        assert json.loads(rejection.document) == item


def nested(value: Any) -> Any:
    for _ in range(100):
        value = {"in": [value]}
    return value


def test_a_rejected_row_is_stored_without_its_secrets() -> None:
    """Promise 10 holds for rejected rows, too, whatever they are."""
    items = [
        "hush",
        ["hush"],
        [["hush", 7]],
        [{"token": "hush"}],
        {"token": "hush"},
        {"a": nested({"pin": "hush"})},
    ]
    for item in items:
        found = OAUTH_CLIENT.row_type.check(item)
        assert isinstance(found, Rejection)
        assert "hush" not in found.document + found.reason
        assert "7" not in found.document

    rejection = OAUTH_CLIENT.row_type.check(
        {"client_secret": "hush", "nested": [{"apiKey": "hush", "name": "n"}]}
    )

    assert isinstance(rejection, Rejection)
    assert json.loads(rejection.document) == {"nested": [{"name": "n"}]}


def test_a_row_nested_too_deeply_is_rejected() -> None:
    """It fails neither the sync nor the account."""
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]

    assert checked(new=deep) == Rejection("null", "nested too deeply")


@pytest.mark.parametrize("depth", [10, 30, 100, 400, 500, 700, 900, 980, 1_010, 5_000])
@pytest.mark.parametrize("has_id", [True, False])
def test_an_item_counts_once_however_deeply_it_is_nested(depth: int, has_id: bool) -> None:
    """An object or an array, with or without an id, is one item of its listing and is loaded or rejected."""
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    item = {"client_id": "client", "new": deep} if has_id else {"new": deep}
    reading = Reading()

    reading.add(Page([item, deep], 2), "client_id")
    kinds = [type(OAUTH_CLIENT.row_type.check(one)) for one in (item, deep)]

    assert reading.counted
    assert kinds == [Row if has_id and depth == 10 else Rejection, Rejection]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-03T00:00:00Z", datetime(2026, 6, 3, tzinfo=UTC)),
        ("2026-06-03T02:00:00+02:00", datetime(2026, 6, 3, tzinfo=UTC)),
        ("2026-06-03t00:00:00.123456z", datetime(2026, 6, 3, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2026-06-03T00:00:00.123456789Z", datetime(2026, 6, 3, 0, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_timestamps_are_converted_to_utc(text: str, moment: datetime) -> None:
    """Any offset is accepted; fractions are cut at microseconds; the document keeps the original text."""
    row = checked(created_at=text)

    assert isinstance(row, Row)
    assert row.columns["created_at"] == moment
    assert json.loads(row.document)["created_at"] == text


def test_nulls_create_no_columns() -> None:
    """A null in an undeclared field would have no type."""
    row = checked(client_name=None, scopes=None, new=None, object={"a": None, "b": 1}, scopes2=[None, "a"])

    assert isinstance(row, Row)
    assert row.columns == {
        "client_id": "1",
        "visibility": "private",
        "object": {"b": 1},
        "scopes2": [None, "a"],
    }


@pytest.mark.parametrize(
    "name",
    [
        "client_secret",
        "clientSecret",
        "CLIENT_SECRET",
        "secret",
        "secrets",
        "password",
        "access_token",
        "credentials",
        "api_key",
        "registration_access_token",
        "apiKey",
        "private_key",
        "client_secret_hash",
        "secret_1",
        "previous_client_secret",
        "secret_value",
        "old_secret",
    ],
)
def test_a_field_that_looks_like_a_secret_value_is_dropped(name: str) -> None:
    """It is dropped at any depth, whether it is a string or contains strings."""
    assert looks_secret(name, "hush")
    assert redacted({"a": [{name: "hush", "b": 1}], name: ["hush"]}) == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("has_rotated_secret", True),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("client_secret_expires_at", 0),
        ("secret_rotated_at", "2026-06-03T00:00:00Z"),
        ("token_lifetime", 3600),
        ("scopes", ["token.write"]),
        ("client_secret", None),
        ("monkey", "banana"),
        ("tokenizer", "x"),
    ],
)
def test_a_field_that_only_describes_secrets_is_kept(name: str, value: Any) -> None:
    """A flag, a count, a time or a method reveals no secret."""
    assert redacted({name: value}) == {name: value}


A: dict[str, Any] = {"client_id": "1", "scopes": ["a", "b"], "uri": "x"}


@pytest.mark.parametrize(
    "same",
    [
        A | {"scopes": ["b", "a"]},
        A | {"redirect_uris": []},
        A | {"redirect_uris": None},
        A | {"verification": {}},
        A | {"verification": {"status": None}},
        dict(reversed(A.items())),
    ],
)
def test_equivalent_documents_have_the_same_hash(same: dict[str, Any]) -> None:
    """Order does not count, and null, absent and empty are the same."""
    assert content_hash(same) == content_hash(A)
    assert changed_fields(A, same) == []


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (A | {"scopes": ["a"]}, ["scopes"]),
        (A | {"scopes": ["a", "b", "b"]}, ["scopes"]),
        (A | {"scopes": ["a", "b", None]}, ["scopes"]),
        (A | {"uri": ""}, ["uri"]),
        (A | {"new": 0}, ["new"]),
        (A | {"new": False}, ["new"]),
        (A | {"verification": {"status": "x"}}, ["verification"]),
        ({"client_id": "1"}, ["scopes", "uri"]),
    ],
)
def test_different_documents_have_different_hashes(other: dict[str, Any], fields: list[str]) -> None:
    """`changed_fields` names the fields that differ."""
    assert content_hash(other) != content_hash(A)
    assert changed_fields(A, other) == changed_fields(other, A) == fields


def test_numbers_and_booleans_are_distinguished() -> None:
    """1, 1.0 and True are equal in Python but not in JSON."""
    hashes = {content_hash({"new": value}) for value in (1, 1.0, True, "1", [1], [True])}

    assert len(hashes) == 6
    assert changed_fields({"new": 1}, {"new": True}) == ["new"]


def test_the_account_id_is_not_part_of_the_hash() -> None:
    """A client has the same hash whether or not the API sends its account with it."""
    with_account, without = checked(account_id="a" * 32), checked()

    assert isinstance(with_account, Row)
    assert isinstance(without, Row)
    assert with_account.content_hash == without.content_hash
