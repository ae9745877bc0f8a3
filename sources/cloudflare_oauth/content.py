"""What of a document counts as its content: the basis of every comparison.

Arrays are sets, and null, absent, `[]` and `{}` are the same, so a document that differs from
another in nothing else has the same hash.
"""

import hashlib
import json
from typing import Any

JSON = dict[str, Any]


def content_hash(document: JSON) -> str:
    """A 128-bit hash, in hexadecimal, of the document's canonical JSON."""
    return text_hash(_canonical_json(_content(document)))


def text_hash(*parts: str | None) -> str:
    """A 128-bit hash, in hexadecimal, of a sequence of texts; None is not the empty text."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def changed_fields(before: JSON, after: JSON) -> list[str]:
    """The sorted names of the top-level fields whose content differs."""
    old, new = _content(before), _content(after)
    # As JSON, because to Python 1, 1.0 and True are equal.
    return sorted(
        name
        for name in old.keys() | new.keys()
        if _canonical_json(old.get(name)) != _canonical_json(new.get(name))
    )


def _content(value: Any) -> Any:
    if isinstance(value, dict):
        items = ((name, _content(item)) for name, item in value.items())
        return {name: item for name, item in items if item is not None and item != [] and item != {}}
    if isinstance(value, list):
        elements = {_canonical_json(element): element for element in map(_content, value)}
        return [elements[text] for text in sorted(elements)]
    return value


def _canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
