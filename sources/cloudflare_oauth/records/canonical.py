"""The canonical form of a document, its hash, and which fields differ: the basis of every comparison.

The order of an array is no content, but how often an element stands in it is; null, absent, `[]` and `{}` are
the same. Documents that differ in nothing else have the same hash. A document has to be redacted first: its
secrets are not content.
"""

import hashlib
import json
from typing import Any

import orjson

JSON = dict[str, Any]

# Names the version of the canonical form. A change of it makes hashes differ where the content does not, so
# content with a hash of another version is compared as a document: see `inventory.diff`.
HASH_VERSION = "2-"

_TEXTS = frozenset({str})


def json_text(value: Any) -> str:
    """A JSON value as text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Nested too deeply for this library, or one of the values that `_canonical_json` names.
        return json.dumps(value)


def content_hash(document: JSON) -> str:
    """`HASH_VERSION` and a 128-bit hash, in hexadecimal, of the document's canonical form."""
    return HASH_VERSION + _hash(_canonical_json(_fields(document)))


def is_current_hash(text: str | None) -> bool:
    """Whether a stored hash can be compared with one that `content_hash` returns."""
    return text is not None and text.startswith(HASH_VERSION)


def have_same_content(before: JSON, after: JSON) -> bool:
    """Whether two documents have the same content, if a destination may have changed how it is written.

    PostgreSQL has no NUL (see `destinations.row_fitting`), and its `jsonb` writes 1e3 as 1000.
    """
    return content_hash(_respelled(before)) == content_hash(_respelled(after))


def _respelled(value: Any) -> Any:
    if type(value) is str:
        return value.replace("\0", "\ufffd")
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is list:
        return list(map(_respelled, value))
    if type(value) is dict:
        return {_respelled(name): _respelled(item) for name, item in value.items()}
    return value


def text_hash(*parts: str | None) -> str:
    """A 128-bit hash, in hexadecimal, of a sequence of texts; None differs from the empty text."""
    return _hash(json.dumps(parts).encode())


def changed_fields(before: JSON, after: JSON) -> list[str]:
    """The sorted names of the top-level fields whose content differs."""
    old, new = _fields(before), _fields(after)
    # Compared as JSON: to Python 1, 1.0 and True are equal.
    return sorted(
        name
        for name in old.keys() | new.keys()
        if _canonical_json(old.get(name)) != _canonical_json(new.get(name))
    )


def _fields(document: JSON) -> JSON:
    # Every value of every row of every sync passes through here; most are texts.
    return {
        name: content
        for name, value in document.items()
        if (content := value if type(value) is str else _content(value)) is not None
    }


def has_content(value: Any) -> bool:
    """Whether a value is more than null, `[]` or `{}`, or objects of nothing else."""
    return _content(value) is not None


def _content(value: Any) -> Any:
    """A value in canonical form; None if it has no content."""
    kind = type(value)
    if kind is list:
        return _elements(value) if value else None
    if kind is dict:
        return _fields(value) or None
    return value


def _elements(array: list[Any]) -> list[Any]:
    if len(array) == 1 and type(array[0]) is str:
        return array
    if _TEXTS.issuperset(map(type, array)):
        return sorted(array)
    return sorted(map(_content, array), key=_canonical_json)


def _canonical_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # A number of more than 64 bits, or half a surrogate pair.
        return json.dumps(value, sort_keys=True).encode()


def _hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()
