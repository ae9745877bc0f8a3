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
        ({"client_id": "\ud800"}, "client_id: half a surrogate pair"),
        ({"client_id": "\uf0261.5"}, "client_id: starts with a private-use character"),
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
    """It is not an object, has no id that can be stored, or has fields whose names would meet."""
    rejection = OAUTH_CLIENT.row_type.check(item)

    assert isinstance(rejection, Rejection)
    assert rejection.reason.startswith(reason)
    if isinstance(item, dict):
        assert json.loads(rejection.document) == item


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("client_name", 7, "client_name: not a text but a number"),
        ("client_name", ["a"], "client_name: not a text but an array"),
        ("client_name", {"en": "a"}, "client_name: not a text but an object"),
        ("client_name", True, "client_name: not a text but a boolean"),
        ("client_name", "\ud800", "client_name: half a surrogate pair"),
        ("has_rotated_secret", 1, "has_rotated_secret: not a bool but a number"),
        ("has_rotated_secret", "true", "has_rotated_secret: not a bool but a text"),
        ("created_at", "yesterday", "created_at: not an RFC 3339 timestamp: 'yesterday'"),
        ("created_at", "2026-02-30T00:00:00Z", "created_at: not an RFC 3339 timestamp"),
        ("created_at", "2026-01-01T00:00:00", "created_at: not an RFC 3339 timestamp"),
        ("created_at", 1760000000, "created_at: not a timestamp but a number"),
        ("scopes", "zone.read", "scopes: not an array but a text"),
        ("scopes", {"a": 1}, "scopes: not an array but an object"),
        ("scopes", [["a"]], "scopes: not a text but an array"),
        ("scopes", ["a", 7], "scopes: not a text but a number"),
        ("client_uri_verification", "ok", "client_uri_verification: not an object"),
        ("client_uri_verification", {"status": 1}, "client_uri_verification__status: not a text"),
        ("new", 2**63, "new: a number of more than 64 bits"),
        ("new", [{"deep": -(2**63) - 1}], "new: a number of more than 64 bits"),
        ("new", float("inf"), "new: a number too large"),
        ("new", "\uf0261.5", "new: starts with a private-use character"),
        ("n" * 101, ["a"], f"{'n' * 100}: too long a name for a table"),
    ],
)
def test_a_field_without_a_usable_value_is_rejected_and_the_rest_is_kept(
    field: str, value: Any, reason: str
) -> None:
    """The row equals that of a client without the field; the rejection has the field alone, with the id."""
    row = checked(**{field: value, "client_uri": "https://example.com", "other": [1]})

    assert isinstance(row, Row)
    assert row.rejected_fields
    assert row.rejected_fields.reason.startswith(reason)
    assert row.rejected_fields.reason.endswith("; the rest of the row was loaded")
    assert json.loads(row.rejected_fields.document) == {"client_id": "1", field: value}
    assert row._replace(rejected_fields=None) == checked(client_uri="https://example.com", other=[1])


def test_every_unusable_field_is_in_one_rejection() -> None:
    """In the order in which they were sent; a field that may hold a secret is in neither."""
    row = checked(scopes=7, api_key=["hush"], created_at="soon", client_name="kept")

    assert isinstance(row, Row)
    assert row.columns == {"client_id": "1", "visibility": "private", "client_name": "kept"}
    assert row.rejected_fields == Rejection(
        '{"client_id": "1", "scopes": 7, "created_at": "soon"}',
        "scopes: not an array but a number; created_at: not an RFC 3339 timestamp: 'soon'; "
        "the rest of the row was loaded",
    )


def test_a_row_with_rejected_fields_is_unchanged_if_what_is_stored_is() -> None:
    """Its hash is that of what is stored; the rejection is still there to be counted."""
    stored = checked(client_uri="https://example.com")
    assert isinstance(stored, Row)

    row = OAUTH_CLIENT.row_type.check(
        {"client_id": "1", "visibility": "private", "client_uri": "https://example.com", "scopes": 7},
        {"1": stored.content_hash},
    )

    assert isinstance(row, Row)
    assert (row.content_hash, row.document, row.columns) == (stored.content_hash, "", {})
    assert row.rejected_fields


@pytest.mark.parametrize(
    ("field", "empty"),
    [
        (field, empty)
        for field in ("promoted_at", "created_at", "has_rotated_secret")
        for empty in ("", [], {})
    ]
    + [("client_name", []), ("client_name", {}), ("scopes", ""), ("scopes", {}), ("scopes", {"a": None})]
    + [("client_name", {"en": {}}), ("created_at", {"at": []})]
    + [("client_uri_verification", ""), ("client_uri_verification", [])],
)
def test_an_empty_value_of_another_type_is_none(field: str, empty: Any) -> None:
    """`promoted_at: ""` is how some servers write null; the content is that of a client without the field."""
    assert checked(**{field: empty}) == checked()


def test_an_empty_text_is_a_value() -> None:
    """It is content where the type is text; so is an empty value in an undeclared field."""
    row = checked(client_name="", new="")

    assert isinstance(row, Row)
    assert (row.columns["client_name"], row.columns["new"], row.rejected_fields) == ("", "", None)


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


@pytest.mark.parametrize("depth", [30, 100, 300])
def test_a_field_nested_too_deeply_is_rejected_alone(depth: int) -> None:
    """dlt could not load it; it can still be shown."""
    deep: Any = "bottom"
    for _ in range(depth):
        deep = {"in": deep}

    row = checked(new=deep)

    assert isinstance(row, Row)
    assert row.rejected_fields
    assert row.rejected_fields.reason == "new: nested too deeply; the rest of the row was loaded"


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
    first, second = (OAUTH_CLIENT.row_type.check(one) for one in (item, deep))

    assert reading.counted
    assert isinstance(second, Rejection)
    if isinstance(first, Row):
        assert has_id
        assert (first.rejected_fields is None) == (depth == 10)
    else:
        assert depth > 10 or not has_id


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
