"""Removes fields that look like secret values, before anything is hashed, compared, stored or shown."""

import re
from functools import lru_cache
from typing import Any

_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(
    r"(.*_)?(secrets?|passwords?|passwd|passphrases?|tokens?|credentials?|(private|api|access|signing|secret)_?keys?)"
    r"(_(value|values|hash|digest|text|plain|plaintext|previous|old|new|current|\d+))*"
)

_TEXTS = frozenset({str})
_CONTAINERS = frozenset({dict, list})


def looks_secret(name: str, value: Any) -> bool:
    """Whether the name of a field says that its value is a secret.

    A flag, a number or a null is never one, whatever its name: `has_rotated_secret` is kept.
    """
    return _is_secret_name(name) and not isinstance(value, bool | int | float | None)


def redacted(value: Any) -> Any:
    """A JSON value without fields that look like secret values, at any depth; itself if there are none."""
    if type(value) is dict:
        return _redacted_object(value)
    if type(value) is list and not _TEXTS.issuperset(map(type, value)):
        items = list(map(redacted, value))
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _redacted_object(value: dict[str, Any]) -> dict[str, Any]:
    clean = value
    for name, item in value.items():
        if type(item) in _CONTAINERS and (new := redacted(item)) is not item:
            clean = {**clean, name: new}
    secrets = [name for name in _secret_names(tuple(value)) if looks_secret(name, value[name])]
    return {name: item for name, item in clean.items() if name not in secrets} if secrets else clean


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET.fullmatch("_".join(_WORDS.findall(name)).lower()) is not None


@lru_cache(maxsize=4096)
def _secret_names(names: tuple[str, ...]) -> list[str]:
    """Those of an object's field names that are a secret's; cached, because most objects are alike."""
    return [name for name in names if _is_secret_name(name)]
