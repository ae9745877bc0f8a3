"""Changes rows to what a destination can hold; hashes stay those of what the API sent."""

import json
from collections.abc import Iterable, Iterator
from operator import is_
from typing import Any

from ..records import JSON, changed_fields, json_text
from .limits import DestinationLimits

REPLACEMENT = "\ufffd"

Rows = dict[str, list[JSON]]


def fitted(pieces: Iterable[Rows], limits: DestinationLimits) -> Iterator[Rows]:
    """The pieces of an inventory, their rows changed where the destination requires it."""
    for piece in pieces:
        yield (
            piece
            if limits.holds_nul
            else {name: list(map(_without_nul, rows)) for name, rows in piece.items()}
        )


def _without_nul(row: JSON) -> JSON:
    if r"\u0000" in (row.get("document_after") or ""):
        # JSON text spells NUL as an escape.
        row = row | {"document_after": json_text(_replaced(json.loads(row["document_after"])))}
        if row["change"] == "updated":
            # The stored document has the replacement already, so the replacement itself is no change.
            fields = changed_fields(json.loads(row["document_before"]), json.loads(row["document_after"]))
            row["changed_fields"] = json_text(fields) if fields else row["changed_fields"]
    fit: JSON = _replaced(row)
    return fit


def _replaced(value: Any) -> Any:
    """A value with NUL replaced; itself if it contains none."""
    if type(value) is str:
        return value.replace("\0", REPLACEMENT) if "\0" in value else value
    if type(value) is dict:
        fit = {_replaced(name): _replaced(item) for name, item in value.items()}
        same = all(new is old for new, old in zip(fit.values(), value.values(), strict=False))
        return value if same and fit.keys() == value.keys() else fit
    if type(value) is list:
        fit_items = list(map(_replaced, value))
        return value if all(map(is_, fit_items, value)) else fit_items
    return value
