"""What becomes of a row with a field that cannot be stored: the rest of it is loaded."""

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ..destinations import FitCheck
from ..reading import CheckedListing
from ..records import JSON, Rejection, Row, rejection_of
from ..resources import Resource

if TYPE_CHECKING:
    # It imports dlt, which a caller that only needs a name from here need not wait for.
    from .stored_state import StoredAccount

KEPT = ", and what was stored of the field before is kept"


def keep_stored_fields(
    resource: Resource,
    listing: CheckedListing,
    stored: "StoredAccount",
    documents_after: Callable[[Collection[str]], dict[str, JSON]],
) -> CheckedListing:
    """The listing with what is stored of its rejected fields: nothing tells that they have changed.

    Otherwise the log would say that something was removed, and findings about it would disappear.

    Args:
        documents_after: returns the last logged documents by `change_id`.
    """
    last_changes = {
        row.key: last.change_id
        for row in listing.rows
        # A row without a document is stored as it is.
        if row.rejected_fields and row.document and (last := stored.last_changes.get(row.key))
    }
    if not last_changes:
        return listing
    documents = documents_after(list(last_changes.values()))
    return replace(
        listing,
        rows=[
            _completed(resource, row, document)
            if row.key in last_changes and (document := documents.get(last_changes[row.key]))
            else row
            for row in listing.rows
        ],
    )


def _completed(resource: Resource, row: Row, before: JSON) -> Row:
    """A row with the stored values of its rejected fields."""
    if row.rejected_fields is None:
        return row
    names = json.loads(row.rejected_fields.document)
    document = json.loads(row.document)
    kept = {name: before[name] for name in names if name not in document and before.get(name) is not None}
    if not kept:
        return row
    checked = resource.check(document | kept)
    if not isinstance(checked, Row) or checked.rejected_fields:
        # Another release has stored it.
        return row
    return checked.rejecting(Rejection(row.rejected_fields.document, row.rejected_fields.reason + KEPT))


def without_new_columns(resource: Resource, row: Row, fit_check: FitCheck) -> Row | Rejection:
    """A row without the fields that need a column that cannot be added."""
    document = json.loads(row.document)
    declared = resource.row_type.fields | {resource.row_type.key}
    kept = {name: value for name, value in document.items() if name in declared}
    problems: dict[str, str] = {}
    for name in [name for name in document if name not in declared]:
        checked = resource.check(kept | {name: document[name]})
        problem = fit_check.problem(resource.table, checked) if isinstance(checked, Row) else checked.reason
        if problem:
            problems[name] = f"{name}: {problem}"
        else:
            kept[name] = document[name]
    checked = resource.check(kept)
    if isinstance(checked, Rejection):
        return checked
    rejected = rejection_of(resource.row_type.key, document, problems)
    if row.rejected_fields:
        both = json.loads(rejected.document) | json.loads(row.rejected_fields.document)
        rejected = Rejection(json.dumps(both), f"{rejected.reason}; {row.rejected_fields.reason}")
    return checked.rejecting(rejected)
