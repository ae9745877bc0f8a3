"""What changed between two documents of a client, in words."""

import json
from typing import Any

JSON = dict[str, Any]


def describe(before: JSON | None, after: JSON | None, changed_fields: list[str] | None) -> list[str]:
    """One line for each thing that changed: `redirect_uris: + https://…`, `visibility: private → public`.

    Of an array only the elements that came and went are told, of a client that came or went how much
    there is of it.
    """
    if before is None or after is None:
        return _sized(after or before or {})
    return [
        f"{field}{line}"
        for field in changed_fields or ()
        for line in _describe(before.get(field), after.get(field))
    ]


def _sized(document: JSON) -> list[str]:
    arrays = [f"{len(value)} {name}" for name, value in document.items() if isinstance(value, list) and value]
    return [", ".join([str(document.get("visibility") or "visibility unknown"), *arrays])]


def _describe(before: Any, after: Any) -> list[str]:
    if isinstance(before, list | None) and isinstance(after, list | None):
        old, new = _texts(before), _texts(after)
        added = [f": + {text}" for text in new if text not in old]
        return added + [f": - {text}" for text in old if text not in new]
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        old_fields, new_fields = before or {}, after or {}
        return [
            f".{field}{line}"
            for field in sorted(old_fields.keys() | new_fields.keys())
            if old_fields.get(field) != new_fields.get(field)
            for line in _describe(old_fields.get(field), new_fields.get(field))
        ]
    return [f": {_text(before)} → {_text(after)}"]


def _texts(values: list[Any] | None) -> list[str]:
    return list(dict.fromkeys(_text(value) for value in values or ()))


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
