"""Rows are changed to what the destination can hold: the character NUL, where it holds none."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth.destinations import DestinationLimits, fitted, limits_of
from cloudflare_oauth.destinations.row_fitting import REPLACEMENT, Rows

WITHOUT_NUL = DestinationLimits(holds_nul=False)

texts = st.text(st.sampled_from("a\0\\u0"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(datetime(2026, 6, 3, tzinfo=UTC)) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
every_row = settings(max_examples=200, deadline=None)


def fit(row: dict[str, Any], limits: DestinationLimits = WITHOUT_NUL) -> dict[str, Any]:
    ((only,),) = (piece["table"] for piece in fitted([{"table": [row]}], limits))
    return only


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_in(inner)
    if isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def change(before: Any, after: Any, **columns: Any) -> dict[str, Any]:
    """A log row with these documents."""
    row = {
        "change": "created" if before is None else "updated",
        "document_before": None if before is None else json.dumps(before),
        "document_after": None if after is None else json.dumps(after),
        "changed_fields": None,
    }
    return row | columns


@every_row
@given(row=st.dictionaries(texts, values, max_size=4))
def test_no_text_of_a_fitted_row_contains_nul(row: dict[str, Any]) -> None:
    """Neither a value nor a name, at any depth."""
    assert not any("\0" in text for text in texts_in(fit(row)))


@every_row
@given(row=st.dictionaries(st.text("abc", max_size=3), values, max_size=4))
def test_only_nul_is_replaced(row: dict[str, Any]) -> None:
    """Every other character, number and time stays, and a row without NUL is the same object."""
    assert repr(fit(row)) == repr(row).replace(r"\x00", REPLACEMENT)
    assert (fit(row) is row) == (not any("\0" in text for text in texts_in(row)))


@every_row
@given(row=st.dictionaries(texts, values, max_size=4))
def test_a_destination_that_holds_nul_gets_the_rows_as_they_are(row: dict[str, Any]) -> None:
    """The very same pieces, without a copy."""
    piece: Rows = {"table": [row]}

    (only,) = fitted([piece], DestinationLimits(holds_nul=True))

    assert only is piece
    assert only["table"][0] is row


def test_pieces_are_fitted_one_by_one() -> None:
    """An inventory is written while it is taken: no piece waits for the next."""
    taken: list[int] = []

    def pieces() -> Iterator[Rows]:
        for number in range(3):
            taken.append(number)
            yield {"a": [{"name": f"{number}\0"}], "b": []}

    first = next(fitted(pieces(), WITHOUT_NUL))

    assert first == {"a": [{"name": f"0{REPLACEMENT}"}], "b": []}
    assert taken == [0]


def test_nul_is_replaced_in_a_logged_document() -> None:
    """The document is JSON text, in which NUL is an escape; the hash stays that of what the API sent."""
    row = fit(change(None, {"name": "a\0", "list\0": ["\0"]}, content_hash="hash"))

    assert json.loads(row["document_after"]) == {
        "name": f"a{REPLACEMENT}",
        f"list{REPLACEMENT}": [REPLACEMENT],
    }
    assert row["content_hash"] == "hash"
    assert "u0000" not in row["document_after"]


def test_an_escaped_backslash_is_not_nul() -> None:
    """A text that spells the escape contains no NUL, and means the same afterwards."""
    document = {"name": r"\u0000"}

    row = fit(change(None, document))

    assert json.loads(row["document_after"]) == document


def test_the_replacement_itself_is_no_change() -> None:
    """The stored document has it already, so only what really differs is named."""
    before, after = {"name": f"a{REPLACEMENT}", "tier": 1}, {"name": "a\0", "tier": 2}

    row = fit(change(before, after, changed_fields='["name","tier"]'))

    assert json.loads(row["changed_fields"]) == ["tier"]


def test_a_change_from_the_replacement_to_nul_keeps_its_fields() -> None:
    """What the destination cannot tell apart is a change all the same: the hash differs."""
    row = fit(change({"name": REPLACEMENT}, {"name": "\0"}, changed_fields='["name"]'))

    assert json.loads(row["changed_fields"]) == ["name"]


def test_a_deletion_has_no_document_to_fit() -> None:
    """Its document after is null."""
    row = change({"name": "a"}, None, change="deleted")

    assert fit(row) is row


@pytest.mark.parametrize(
    ("destination_type", "holds_nul"),
    [
        ("dlt.destinations.duckdb", True),
        ("duckdb", True),
        ("dlt.destinations.motherduck", True),
        ("dlt.destinations.filesystem", True),
        ("dlt.destinations.postgres", False),
        ("dlt.destinations.snowflake", False),
        ("somewhere.of.ones.own", False),
        ("", False),
    ],
)
def test_whether_a_destination_holds_nul(destination_type: str, holds_nul: bool) -> None:
    """By dlt's type, with or without its module; one of which nothing is known gets the strictest."""
    assert limits_of(destination_type).holds_nul == holds_nul
