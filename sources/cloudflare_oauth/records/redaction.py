"""Removes fields that may be secrets, before anything is hashed, compared, stored or shown."""

from functools import lru_cache
from typing import Any

from .secret_names import is_secret_name

# Names come from outside and may be of any length and number.
LONGEST_NAME = 60
LONGEST_PATH = 120
MOST_NAMES = 1_000

_TEXTS = frozenset({str})
_CONTAINERS = frozenset({dict, list})
_HIDDEN = "***"

Path = tuple["Path", str] | tuple[()]
"""The names of the fields that lead to a value, the innermost last."""


def looks_secret(name: str, value: Any) -> bool:
    """Whether a field may hold a secret, by its name.

    A flag or a null never does, whatever its name: `has_rotated_secret` is kept.
    """
    return value is not None and type(value) is not bool and _is_secret(name)


def redacted(value: Any, dropped: set[str] | None = None, path: Path = ()) -> Any:
    """A JSON value without fields that may hold secrets, at any depth; itself if there are none.

    Args:
        dropped: receives the names of these fields, each after those of the objects around it; shortened,
            control characters escaped, and at most `MOST_NAMES`.
    """
    if type(value) is dict:
        return _redacted_object(value, dropped, path)
    if type(value) is list and not _TEXTS.issuperset(map(type, value)):
        items = [redacted(item, dropped, path) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def without_nameless_values(item: Any) -> Any:
    """A redacted item of a listing that is no object: without the values that no field's name tells about."""
    if isinstance(item, list):
        return list(map(without_nameless_values, item))
    return item if item is None or isinstance(item, bool | dict) else _HIDDEN


def _redacted_object(value: dict[str, Any], dropped: set[str] | None, path: Path) -> dict[str, Any]:
    secrets = [name for name in _secret_names(tuple(value)) if looks_secret(name, value[name])]
    clean = value
    for name, item in value.items():
        if (
            type(item) in _CONTAINERS
            and name not in secrets
            and (new := redacted(item, dropped, (path, name))) is not item
        ):
            clean = {**clean, name: new}
    if not secrets:
        return clean
    if dropped is not None:
        for name in secrets[: MOST_NAMES - len(dropped)]:
            dropped.add(_as_text((path, name)))
    return {name: item for name, item in clean.items() if name not in secrets}


def _as_text(path: Path) -> str:
    names = []
    while path:
        path, name = path
        # `repr` escapes what cannot be printed.
        names.append(repr(name[:LONGEST_NAME])[1:-1] + ("…" if len(name) > LONGEST_NAME else ""))
    text = ".".join(reversed(names))
    return text if len(text) <= LONGEST_PATH else "…" + text[-LONGEST_PATH:]


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return is_secret_name(name)


@lru_cache(maxsize=4096)
def _secret_names(names: tuple[str, ...]) -> list[str]:
    """Those of an object's field names that may be a secret's; cached, because most objects are alike."""
    return [name for name in names if _is_secret(name)]
