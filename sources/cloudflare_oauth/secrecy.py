"""Fields that look like secret values: dropped before anything is compared, stored or shown."""

import re
from functools import lru_cache
from typing import Any

_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(
    r"(.*_)?(secrets?|passwords?|passwd|passphrases?|tokens?|credentials?|(private|api|access|signing|secret)_?keys?)"
    r"(_(value|values|hash|digest|text|plain|plaintext|previous|old|new|current|\d+))*"
)


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET.fullmatch("_".join(_WORDS.findall(name)).lower()) is not None


def looks_secret(name: str, value: Any) -> bool:
    """Whether a field's name says that its value is a secret.

    A flag, a number or a null is none, whatever its name: `has_rotated_secret` is kept.
    """
    return _is_secret_name(name) and not isinstance(value, bool | int | float | None)


def without_secrets(value: Any) -> Any:
    """The same JSON value without the fields that look like secret values, at any depth."""
    if type(value) is dict:
        return {
            name: item if type(item) is str else without_secrets(item)
            for name, item in value.items()
            if not looks_secret(name, item)
        }
    if type(value) is list:
        return (
            value if all(type(item) is str for item in value) else [without_secrets(item) for item in value]
        )
    return value
