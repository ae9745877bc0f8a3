"""Fields that look like secret values: dropped before anything is compared, stored or shown."""

import re
from functools import lru_cache
from typing import Any

_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(
    r"(.*_)?(secrets?|passwords?|passwd|passphrases?|tokens?|credentials?|(private|api|access|signing|secret)_?keys?)"
    r"(_(value|values|hash|digest|text|plain|plaintext|previous|old|new|current|\d+))*"
)

_TEXTS = frozenset({str})


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET.fullmatch("_".join(_WORDS.findall(name)).lower()) is not None


def looks_secret(name: str, value: Any) -> bool:
    """Whether a field's name says that its value is a secret.

    A flag, a number or a null is none, whatever its name: `has_rotated_secret` is kept.
    """
    return _is_secret_name(name) and not isinstance(value, bool | int | float | None)


def secret_fields(fields: dict[str, Any]) -> list[str]:
    """The names of the fields whose values look like secrets."""
    return [name for name in _secret_names(tuple(fields)) if looks_secret(name, fields[name])]


def redacted(value: Any) -> Any:
    """The same JSON value without the fields that look like secret values, at any depth."""
    if type(value) is dict:
        clean = {
            name: redacted(item) if type(item) is dict or type(item) is list else item
            for name, item in value.items()
        }
        for name in secret_fields(value):
            del clean[name]
        return clean
    if type(value) is list and not _TEXTS.issuperset(map(type, value)):
        return [redacted(item) for item in value]
    return value


@lru_cache(maxsize=4096)
def _secret_names(names: tuple[str, ...]) -> list[str]:
    """Those of an object's names that are a secret's, whatever is under them; most objects are alike."""
    return [name for name in names if _is_secret_name(name)]
