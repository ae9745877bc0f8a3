"""Redaction: fields that look like secret values are removed at any depth, and nothing else is."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth.records.redaction import looks_secret, redacted

SECRET_NAMES = ["client_secret", "clientSecret", "api-key", "PASSWORD", "refreshTokens", "secret_value_2"]
PLAIN_NAMES = ["client_id", "scopes", "token_endpoint_auth_method", "has_rotated_secret", "monkey", ""]

names = st.sampled_from(SECRET_NAMES + PLAIN_NAMES) | st.text(max_size=6)
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


@pytest.mark.parametrize("value", [True, False, 0, 1, -1.5, 2**70, None])
@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_flag_a_number_and_a_null_are_kept_under_any_name(name: str, value: Any) -> None:
    """They say something about a secret, but are none."""
    assert not looks_secret(name, value)
    assert redacted({name: value}) == {name: value}


@pytest.mark.parametrize("value", ["", "hush", [], ["hush"], [1], {}, {"a": "hush"}, {"a": 1}])
@pytest.mark.parametrize("name", SECRET_NAMES)
def test_texts_arrays_and_objects_are_removed_under_a_secrets_name(name: str, value: Any) -> None:
    """Each of them could hold a secret, whole or in parts."""
    assert looks_secret(name, value)
    assert redacted({"kept": "a", name: value, "too": [{name: value}]}) == {"kept": "a", "too": [{}]}


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "Secret",
        "SECRET",
        "client_secret",
        "clientSecret",
        "ClientSecret",
        "CLIENT_SECRET",
        "client-secret",
        "client.secret",
        "Client Secret",
        "__client_secret__",
        "passwd",
        "passphrase",
        "apikey",
        "APIKey",
        "X-API-Key",
        "signingKeys",
        "accessKey",
        "registration_access_token",
        "token_value",
        "tokenHash",
        "client_secret_plaintext",
        "client_secret_previous_hash",
        "secret_2",
        "SECRET2",
    ],
)
def test_a_secrets_name_is_recognised_in_any_spelling(name: str) -> None:
    """Snake case, camelCase, kebab-case and capitals, in the singular and the plural, with a suffix."""
    assert looks_secret(name, "hush")


@pytest.mark.parametrize(
    "name",
    [
        "token_endpoint_auth_method",
        "tokenEndpointAuthMethod",
        "secret_rotated_at",
        "client-secret-expires-at",
        "password_policy",
        "tokenizer",
        "keyboard",
        "public_key",
        "secretary",
        "",
        "_",
        "秘密",
    ],
)
def test_a_name_that_only_mentions_a_secret_is_kept(name: str) -> None:
    """The secret's word has to end the name, apart from suffixes such as `value` and `hash`."""
    assert not looks_secret(name, "a text")


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
