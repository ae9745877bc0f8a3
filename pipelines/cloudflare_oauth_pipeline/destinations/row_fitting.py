"""Rows as a destination can take them, where it cannot take them as they are."""

import json
from collections.abc import Callable, Iterable, Iterator
from operator import is_
from typing import Any

import dlt
from dlt.common.normalizers.utils import generate_dlt_ids

from cloudflare_oauth.inventory.run import Rows
from cloudflare_oauth.records.canonical import JSON, changed_fields, json_text

from .adapter import keeps_nul
from .delta_lake import DeltaLake

REPLACEMENT = "\ufffd"
WITH_ARRAYS = ("oauth_clients", "oauth_scopes")


def fitting(pieces: Iterable[Rows], pipeline: dlt.Pipeline) -> Iterator[Rows]:
    """The pieces of an inventory, with other rows where needed; hashes stay those of what the API sent."""
    destination = pipeline.destination
    steps: list[Callable[[str, JSON], JSON]] = []
    if destination is not None and not keeps_nul(destination):
        steps.append(_without_nul)
    if isinstance(destination, DeltaLake):
        steps.append(_with_new_id)
    for piece in pieces:
        fit = piece
        for step in steps:
            fit = {name: [step(name, row) for row in rows] for name, rows in fit.items()}
        yield fit


def _without_nul(table: str, row: JSON) -> JSON:
    if r"\u0000" in (row.get("document_after") or ""):
        # In JSON text it is written otherwise.
        row = row | {"document_after": json_text(_replaced(json.loads(row["document_after"])))}
        if row["change"] == "updated":
            # What was stored of it before has the replacement already: that is no change.
            fields = changed_fields(json.loads(row["document_before"]), json.loads(row["document_after"]))
            row["changed_fields"] = json_text(fields) if fields else row["changed_fields"]
    fit: JSON = _replaced(row)
    return fit


def _replaced(value: Any) -> Any:
    """The value itself, if there is no NUL in it."""
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


def _with_new_id(table: str, row: JSON) -> JSON:
    # dlt would make the same id of the same key again.
    return row | {"_dlt_id": generate_dlt_ids(1)[0]} if table in WITH_ARRAYS else row
