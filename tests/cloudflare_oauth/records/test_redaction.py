"""Redaction: fields that look like secret values are removed at any depth, and nothing else is."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth.records.redaction import (
    LONGEST_NAME,
    LONGEST_PATH,
    MOST_NAMES,
    looks_secret,
    redacted,
    without_nameless_values,
)
from cloudflare_oauth.records.tables import ARRAYS, TABLES
from tests.support.secret_names import PLAIN, SECRET_NAMES

SECRETS = ["client_secret", "clientSecret", "api-key", "PASSWORD", "refreshTokens", "secret_value_2"]

names = st.sampled_from(SECRET_NAMES) | st.sampled_from(PLAIN) | st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
every_value = settings(max_examples=200, deadline=None)

Path = tuple[str | int, ...]


def fields(value: Any, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """Every field of every object inside a value: where the object is, the field's name and its value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield path, name, inner
            yield from fields(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from fields(inner, (*path, index))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every scalar and every container outside fields that look secret, with its path."""
    if isinstance(value, dict):
        yield path, "object"
        for name, inner in value.items():
            if not looks_secret(name, inner):
                yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        yield path, f"array of {len(value)}"
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, repr(value)


@every_value
@given(value=values)
def test_no_field_of_the_result_looks_secret(value: Any) -> None:
    """In objects and in arrays, at any depth."""
    assert [name for _, name, inner in fields(redacted(value)) if looks_secret(name, inner)] == []


@every_value
@given(value=values)
def test_nothing_else_is_lost(value: Any) -> None:
    """Every other value keeps its place, its type and its order."""
    assert list(leaves(redacted(value))) == list(leaves(value))


@every_value
@given(value=values)
def test_the_same_object_comes_back_if_nothing_is_removed(value: Any) -> None:
    """No copy is made of the many items without secrets, nor of a result that is redacted again."""
    clean = redacted(value)

    assert redacted(clean) is clean
    assert (clean is value) == (not any(looks_secret(name, inner) for _, name, inner in fields(value)))


@every_value
@given(value=values)
def test_the_argument_stays_as_it_was(value: Any) -> None:
    """Redaction makes a new object instead of deleting from the one it was given."""
    before = copy.deepcopy(value)

    redacted(value)

    assert value == before


@pytest.mark.parametrize("value", [True, False, None])
@pytest.mark.parametrize("name", SECRETS)
def test_a_flag_and_a_null_are_kept_under_any_name(name: str, value: Any) -> None:
    """They say something about a secret, but are none."""
    assert not looks_secret(name, value)
    assert redacted({name: value}) == {name: value}


@pytest.mark.parametrize(
    "value", ["", "hush", 0, 1, -1.5, 2**70, [], ["hush"], [1], [True], {}, {"a": "hush"}, {"a": 1}]
)
@pytest.mark.parametrize("name", SECRETS)
def test_every_other_value_is_removed_under_a_secrets_name(name: str, value: Any) -> None:
    """Each of them could hold a secret, whole or in parts."""
    assert looks_secret(name, value)
    assert redacted({"kept": "a", name: value, "too": [{name: value}]}) == {"kept": "a", "too": [{}]}


def test_a_secrets_name_is_recognised_in_any_spelling() -> None:
    """Of a long list of names, in snake case, camelCase, kebab-case, capitals, other letters, and glued."""
    assert len(SECRET_NAMES) > 1_500
    assert [name for name in SECRET_NAMES if not looks_secret(name, "hush")] == []


@pytest.mark.parametrize(
    "name",
    [
        "accesstoken",
        "APIKEY",
        "sEcReT",
        "s.e.c.r.e.t",
        "pass_word",
        "sécret",
        "\U0001d42c\U0001d41e\U0001d41c\U0001d42b\U0001d41e\U0001d42d",
        "connect.sid",
        "PHPSESSID",
        "secretat",
        "client_secret_at_2",
        "token_lifetime_seconds",
        "password_policy",
        "userPwd",
        "dbpass",
        "aws.secret.access.key",
        "X-Amz-Security-Token",
        "public_key_secret",
        "token_endpoint_token",
        "JWTs",
    ],
)
def test_in_doubt_a_name_is_a_secrets(name: str) -> None:
    """Odd spellings, and words about a secret that say too little, count as one."""
    assert looks_secret(name, "hush")


@pytest.mark.parametrize("name", ["", "_", *PLAIN])
def test_a_name_that_only_resembles_or_describes_a_secret_is_kept(name: str) -> None:
    """The boundaries of words tell `monkey` from `mon_key`; times, counts and methods reveal nothing."""
    assert not looks_secret(name, "a text")


def test_declared_fields_are_kept() -> None:
    """Every column has a description that says what it holds."""
    declared = {part for _, columns in TABLES.values() for one in columns for part in one.name.split("__")}

    assert [name for name in declared | ARRAYS.keys() if looks_secret(name, "a text")] == []


def test_the_names_of_what_was_dropped_are_told() -> None:
    """With the fields around them; what is dropped whole is told once; never a value."""
    dropped: set[str] = set()
    document = {
        "a": [{"apiKey": "hush"}, {"b": {"token": 7}}],
        "secrets": {"pin": 1},
        "pwd": None,
        "otp": True,
    }

    redacted(document, dropped)

    assert dropped == {"a.apiKey", "a.b.token", "secrets"}


def test_names_that_are_told_are_short_and_printable() -> None:
    """They come from outside: of any length and number, with any characters."""
    dropped: set[str] = set()
    deep: Any = {"secret": 1}
    for _ in range(100):
        deep = {"deep": deep}

    redacted({"token\n\x1b[31m\ud800": 1, "secret" * 10_000: 1, "in": deep}, dropped)
    redacted({f"secret_{number}": "" for number in range(MOST_NAMES * 2)}, many := set[str]())

    assert "token\\n\\x1b[31m\\ud800" in dropped
    assert all(name.isprintable() for name in dropped)
    assert max(map(len, dropped)) == LONGEST_PATH + 1
    assert ("secret" * 10_000)[:LONGEST_NAME] + "…" in dropped
    assert len(many) == MOST_NAMES


@pytest.mark.parametrize(
    ("item", "clean"),
    [
        ("hush", "***"),
        (7, "***"),
        (None, None),
        (True, True),
        (["hush", 7, ["hush"], {"a": "kept"}], ["***", "***", ["***"], {"a": "kept"}]),
    ],
)
def test_values_without_a_name_are_hidden(item: Any, clean: Any) -> None:
    """An item of a listing that is no object may itself be a secret."""
    assert without_nameless_values(item) == clean


@pytest.mark.parametrize("value", ["client_secret", "", 7, None, True, [], {}, ["client_secret", "b"]])
def test_what_is_no_object_has_no_fields_to_remove(value: Any) -> None:
    """Only names are judged: a text that mentions a secret is a value."""
    assert redacted(value) is value


def test_only_the_changed_part_is_copied() -> None:
    """A sibling of what is removed is the same object as before."""
    document = {"kept": {"scopes": ["a"]}, "changed": {"token": "hush"}}

    clean = redacted(document)

    assert clean == {"kept": {"scopes": ["a"]}, "changed": {}}
    assert clean["kept"] is document["kept"]
