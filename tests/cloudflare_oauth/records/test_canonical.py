"""The canonical form of documents: what changes a hash, what does not, and the text of any JSON value."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth.records.canonical import changed_fields, content_hash, json_text, text_hash

texts = st.text(st.characters(), max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, max_size=5)
every_document = settings(max_examples=200, deadline=None)


def shuffled(value: Any, shuffle: random.Random) -> Any:
    """The same value with the keys of every object and the elements of every array in another order."""
    if isinstance(value, dict):
        pairs = [(name, shuffled(inner, shuffle)) for name, inner in value.items()]
        shuffle.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list):
        elements = [shuffled(element, shuffle) for element in value]
        shuffle.shuffle(elements)
        return elements
    return value


def with_empty_fields(value: Any, empty: Any) -> Any:
    """The same value with an empty field more in every object."""
    if isinstance(value, dict):
        return {name: with_empty_fields(inner, empty) for name, inner in value.items()} | {"\0new": empty}
    if isinstance(value, list):
        return [with_empty_fields(element, empty) for element in value]
    return value


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


@every_document
@given(document=documents, shuffle=st.randoms(use_true_random=False))
def test_order_is_not_content(document: dict[str, Any], shuffle: random.Random) -> None:
    """Neither the order of keys nor that of array elements changes a hash, at any depth."""
    other = shuffled(document, shuffle)

    assert content_hash(other) == content_hash(document)
    assert changed_fields(document, other) == []


@every_document
@given(document=documents, empty=st.sampled_from([None, [], {}, {"a": None}, {"a": {"b": []}}]))
def test_null_absent_and_empty_are_the_same_content(document: dict[str, Any], empty: Any) -> None:
    """A field without content can be added to any object at any depth without changing the hash."""
    other = with_empty_fields(document, empty)

    assert content_hash(other) == content_hash(document)
    assert changed_fields(document, other) == []


@every_document
@given(before=documents, after=documents)
def test_the_hash_differs_exactly_when_a_field_is_named_as_changed(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """A log row marked as updated always has a field that differs, and a difference is never missed."""
    assert (content_hash(before) != content_hash(after)) == bool(changed_fields(before, after))


@every_document
@given(before=documents, after=documents)
def test_changed_fields_are_sorted_top_level_names_in_both_directions(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """The names come from the two documents, sorted, and the direction of the change does not matter."""
    fields = changed_fields(before, after)

    assert fields == changed_fields(after, before) == sorted(fields)
    assert set(fields) <= before.keys() | after.keys()


@every_document
@given(document=documents, name=texts, value=texts)
def test_a_changed_text_is_named(document: dict[str, Any], name: str, value: str) -> None:
    """A text is content even if it is empty, and no other field is named."""
    document.pop(name, None)

    assert changed_fields(document, document | {name: value}) == [name]
    assert changed_fields(document | {name: value}, document | {name: f"{value}."}) == [name]


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"inner": value}])
def test_values_that_python_takes_for_equal_are_different_content(wrap: Any) -> None:
    """1, 1.0, true and the text 1 have four hashes, as a field, an element or an inner field."""
    found = [{"field": wrap(value)} for value in (1, 1.0, True, "1")]

    assert len({content_hash(document) for document in found}) == 4
    assert all(changed_fields(found[0], other) == ["field"] for other in found[1:])


def test_a_value_and_an_array_of_it_are_different_content() -> None:
    """An array of one element is not its element, and an array of null is not an empty array."""
    found = [{"field": value} for value in ("a", ["a"], [["a"]], {"a": "a"}, [None], None)]

    assert len({content_hash(document) for document in found}) == len(found)


def test_the_empty_text_zero_and_false_are_content() -> None:
    """Only null, an empty array and an empty object count as absent."""
    found = [{}, *({"field": value} for value in ("", 0, 0.0, False))]

    assert len({content_hash(document) for document in found}) == len(found)


def test_large_neighbouring_numbers_are_different_content() -> None:
    """Numbers that would be one double keep their own hashes, within 64 bits and beyond."""
    numbers = [2**53, 2**53 + 1, 2**63, 2**63 + 1, 2**64, 2**64 + 1, 10**40, 10**40 + 1, -(2**63), -(2**64)]

    assert len({content_hash({"number": number}) for number in numbers}) == len(numbers)


@every_document
@given(document=documents)
def test_hashing_leaves_the_document_as_it_was(document: dict[str, Any]) -> None:
    """The document that is stored is the one the API sent, its arrays in their order."""
    before = json.dumps(document)

    content_hash(document)
    changed_fields(document, {})

    assert json.dumps(document) == before


@every_document
@given(value=values)
def test_json_text_reads_back_as_the_same_value(value: Any) -> None:
    """The text of any JSON value is JSON; numbers over 64 bits and lone surrogates survive, too."""
    back = json.loads(json_text(value))

    assert (back, repr(back)) == (value, repr(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**64 - 1, "18446744073709551615"),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        ("\ud800", r'"\ud800"'),
        ({"a": ["\udfff", None]}, r'{"a": ["\udfff", null]}'),
        ("é\U0001f986", '"é\U0001f986"'),
        ("\0", r'"\u0000"'),
        ({"b": 1, "a": [True, None, 1.0]}, '{"b":1,"a":[true,null,1.0]}'),
    ],
)
def test_json_text_of_odd_values(value: Any, text: str) -> None:
    """Compact UTF-8 in the order of the keys; pure ASCII where a value fits in no 64 bits or no UTF-8."""
    assert json_text(value) == text


def test_json_text_of_deep_nesting() -> None:
    """Arrays nested deeper than the fast JSON library allows are written by the standard one."""
    assert json_text(nested(400)) == "[" * 400 + '"bottom"' + "]" * 400


@pytest.mark.parametrize(
    ("document", "pinned"),
    [
        ({}, "2-2afb9b83f9314e5d029766197f539792"),
        ({"client_id": "1"}, "2-b9d653899d98c4b72ccdc018e90f8ced"),
        (
            {"client_id": "1", "scopes": ["dns.read", "account.read"], "visibility": "private"},
            "2-d0d0b224d690c34a0701731e8a9352b2",
        ),
        ({"flag": True, "number": 1, "fraction": 1.0, "text": "1"}, "2-4c3c3b1b9b2a7fb3253f484d26955a34"),
        (
            {"object": {"b": [{"y": None, "x": 1}, "z", 2.5], "a": "é\U0001f986"}},
            "2-36edd934c1ff37b68fed6d9d45e0207b",
        ),
        ({"number": 2**64}, "2-a606bb436f921f7fdc824c205d92ca4d"),
        ({"text": "\ud800"}, "2-9a7e72d6b654f4e97e1dad552006cf2a"),
    ],
)
def test_content_hashes_never_change(document: dict[str, Any], pinned: str) -> None:
    """Stored hashes outlive a release: a change of the canonical form needs a new `HASH_VERSION`."""
    assert content_hash(document) == pinned


@pytest.mark.parametrize(
    ("parts", "pinned"),
    [
        ((), "7ebb3c7c2a87b1a2f8a7ed729ecb040d"),
        (("",), "625af97a964125a29a65dc9491160b2d"),
        ((None,), "776cef04829d5d743f6a1bad2a143069"),
        (("a", "b"), "c95b5b0a5d45c522dc032df817b0abc7"),
        (("a, b",), "76434ec531f7572e4981b23d8bf1b8e8"),
        (("é", None), "09db424569fb6989585f03d51f6ce510"),
    ],
)
def test_text_hashes_never_change(parts: tuple[str | None, ...], pinned: str) -> None:
    """Change ids and rejection ids are such hashes: new ones would log the same change twice."""
    assert text_hash(*parts) == pinned


@every_document
@given(
    one=st.lists(st.none() | texts, max_size=3).map(tuple),
    other=st.lists(st.none() | texts, max_size=3).map(tuple),
)
def test_text_hashes_differ_exactly_when_the_texts_do(
    one: tuple[str | None, ...], other: tuple[str | None, ...]
) -> None:
    """Texts never run into each other, and None is not the empty text."""
    assert (text_hash(*one) == text_hash(*other)) == (one == other)
