"""What of a document counts as its content: the basis of every comparison.

Arrays are sets, null, absent, `[]` and `{}` are the same, and what looks like a secret is not looked at, so a
document that differs from another in nothing else has the same hash.
"""

import hashlib
import json
from typing import Any

import orjson

from .redaction import secret_fields

JSON = dict[str, Any]

_TEXTS = frozenset({str})


def json_text(value: Any) -> str:
    """A JSON value as text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Nested too deeply for this library, or what `_canonical_json` names.
        return json.dumps(value)


def content_hash(document: JSON) -> str:
    """A 128-bit hash, in hexadecimal, of the document's canonical JSON."""
    return _hash(_canonical_json(_fields(document)))


def text_hash(*parts: str | None) -> str:
    """A 128-bit hash, in hexadecimal, of a sequence of texts; None is not the empty text."""
    return _hash(json.dumps(parts).encode())


def changed_fields(before: JSON, after: JSON) -> list[str]:
    """The sorted names of the top-level fields whose content differs."""
    old, new = _fields(before), _fields(after)
    # As JSON, because to Python 1, 1.0 and True are equal.
    return sorted(
        name
        for name in old.keys() | new.keys()
        if _canonical_json(old.get(name)) != _canonical_json(new.get(name))
    )


def _fields(document: JSON) -> JSON:
    # Every value of every row of every sync comes through here; most are texts.
    fields = {
        name: content
        for name, value in document.items()
        if (content := value if type(value) is str else _content(value)) is not None
    }
    for name in secret_fields(document):
        fields.pop(name, None)
    return fields


def _content(value: Any) -> Any:
    """A value without what is not content; None if that is all of it."""
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
        return sorted(set(array))
    elements = {_canonical_json(content): content for content in map(_content, array)}
    return [elements[text] for text in sorted(elements)]


def _canonical_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # A number of more than 64 bits, or half a surrogate pair.
        return json.dumps(value, sort_keys=True).encode()


def _hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()
