"""The tables and columns that an item with undeclared fields becomes, by dlt's rules.

dlt spells names in snake case, flattens objects into columns (`outer__inner`) and turns each array into a
table of its own, whose rows carry the keys of the row they came from. Nothing may meet on the way: neither
two fields, nor a field and a column of ours.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .canonical import JSON

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# What dlt appends to the name of a column for values of another type than the column's.
_VARIANT = re.compile(r".*__v_(text|double|bool|timestamp|bigint|binary|json|decimal|wei|date|time)")
# dlt's name for an array within an array.
_LIST = "list"


class UnfitError(Exception):
    """The item cannot be loaded; the message is the reason."""


@dataclass
class TableShape:
    """What an item adds to one table.

    Attributes:
        parent: the table that its rows belong to, by path; None for the root table.
        columns: the names of the columns.
        row_bytes: what the values of its largest row take at least, if long texts are stored elsewhere.
    """

    parent: str | None
    columns: set[str] = field(default_factory=set)
    row_bytes: int = 0


Shape = dict[str, TableShape]
"""Tables by path below the root table, whose own path is empty."""


def shape_of(
    document: JSON,
    *,
    declared: Collection[tuple[str, ...]],
    taken: Collection[str],
    inherited: Collection[str],
) -> Shape:
    """The shape of an item, undeclared fields only.

    Args:
        declared: paths of the declared fields, which become columns and tables of their own.
        taken: columns of the root table that no undeclared field may meet.
        inherited: columns that every nested table takes over from the root table.

    Raises:
        UnfitError: two names would meet.
    """
    shape: Shape = {"": TableShape(None)}
    _add_row(shape, "", document, set(taken), frozenset(inherited), frozenset(declared))
    return shape


def _add_row(
    shape: Shape,
    table: str,
    row: JSON,
    taken: set[str],
    inherited: frozenset[str],
    declared: frozenset[tuple[str, ...]] = frozenset(),
) -> None:
    """Add one row, and the tables of its arrays."""
    here = shape[table]
    size = 0
    waiting: list[tuple[tuple[str, ...], str, JSON]] = [((), "", row)]
    arrays: list[tuple[str, list[Any]]] = []
    while waiting:
        outer, prefix, fields = waiting.pop()
        for name, value in fields.items():
            path = (*outer, name)
            if path in declared or value is None:
                continue
            column = prefix + _spelled(name)
            if isinstance(value, dict):
                waiting.append((path, f"{column}__", value))
                continue
            if column in taken or column.startswith("_dlt") or _VARIANT.fullmatch(column):
                raise UnfitError(f"two fields would share the column {column}")
            taken.add(column)
            if isinstance(value, list):
                arrays.append((column, value))
            else:
                here.columns.add(column)
                # A long text is moved out of the row, and leaves a pointer.
                size += min(len(value) + 4, 24) if isinstance(value, str) else 8
    here.row_bytes = max(here.row_bytes, size)
    for column, elements in arrays:
        _add_elements(shape, table, f"{table}__{column}" if table else column, elements, inherited)


def _add_elements(
    shape: Shape, parent: str, table: str, elements: list[Any], inherited: frozenset[str]
) -> None:
    here = shape.setdefault(table, TableShape(parent))
    if here.parent != parent:
        raise UnfitError(f"two arrays would share the table {table}")
    for element in elements:
        if isinstance(element, dict):
            _add_row(shape, table, element, set(inherited), inherited)
        elif isinstance(element, list):
            _add_row(shape, table, {_LIST: element}, set(inherited), inherited)
        else:
            here.columns.add("value")
            here.row_bytes = max(here.row_bytes, 24)


@lru_cache(maxsize=4096)
def _spelled(name: str) -> str:
    """A field's name as dlt spells it."""
    if _SNAKE_CASE.fullmatch(name):
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UnfitError("a field's name: half a surrogate pair, which is not text") from None
    if not name or name.isspace():
        return "_empty"
    # Not at the top: a reader process rarely needs dlt, whose import takes half a second.
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    return NamingConvention().normalize_path(name)
