"""Descriptions of logged changes, in words."""

import json
from collections.abc import Mapping
from typing import Any


def in_words(change: Mapping[str, Any]) -> list[str]:
    """Describe the change in a row of the change log, one line per changed value.

    For example `redirect_uris: + https://…` and `visibility: private → public`. An array is described by the
    elements added and removed, a new or deleted client by its visibility and the sizes of its arrays.
    """
    before, after = _value(change["document_before"]), _value(change["document_after"])
    if before is None or after is None:
        return _sized(after or before or {})
    fields = _value(change["changed_fields"]) or ()
    # A new `updated_at` adds no information, unless it is the only change.
    shown = [field for field in fields if field != "updated_at"]
    return [
        f"{field}{line}"
        for field in shown or fields
        for line in _describe(before.get(field), after.get(field))
    ]


def _value(value: Any) -> Any:
    # Some destinations return JSON as text, others as values, and pandas has its own nulls.
    value = json.loads(value) if isinstance(value, str) else value
    return value if isinstance(value, dict | list) else None


def _sized(document: dict[str, Any]) -> list[str]:
    # Sorted by name, because some destinations do not preserve the order of an object's fields.
    fields = sorted(document.items())
    arrays = [f"{len(value)} {name}" for name, value in fields if isinstance(value, list) and value]
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
