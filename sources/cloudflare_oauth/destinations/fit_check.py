"""Finds the rows that a destination cannot hold before they are loaded, where one would fail a whole load."""

from collections.abc import Mapping
from typing import Any

from ..records import TABLES, Row
from .limits import DestinationLimits


class FitCheck:
    """Checks rows against the limits of a destination, and against the tables that its dataset has already.

    Args:
        stored: dlt's schemas of the dataset's tables by name.
    """

    def __init__(self, limits: DestinationLimits, stored: Mapping[str, Mapping[str, Any]]) -> None:
        self._limits = limits
        self._columns = {
            name: {column.name for column in columns} for name, (_, columns) in TABLES.items()
        } | {name: set(table["columns"]) for name, table in stored.items()}
        self._stored = {name: frozenset(table["columns"]) for name, table in stored.items()}
        self._parents: dict[str, str | None] = {name: table.get("parent") for name, table in stored.items()}

    def problem(self, root: str, row: Row) -> str | None:
        """Why the destination cannot hold a row of a root table; None if it can."""
        limits = self._limits
        if "\0" in row.key and not limits.holds_nul:
            return "its id contains the character NUL, which the destination does not have"
        if row.shape is None:
            return None
        columns: dict[str, set[str]] = {}
        parents: dict[str, str | None] = {}
        for path, shape in row.shape.items():
            table = _table(root, path)
            columns[table] = shape.columns | self._columns.get(table, set())
            parents[table] = None if shape.parent is None else _table(root, shape.parent)
            if reserved := sorted(shape.columns & limits.reserved_columns):
                return f"the destination reserves the column {reserved[0]}"
            new = shape.columns - self._stored.get(table, shape.columns)
            if new and not limits.may_add_columns:
                return f"the column {sorted(new)[0]} cannot be added to {table}, which has another owner"
            if len(columns[table]) > limits.max_columns:
                return f"{table} would have more than {limits.max_columns} columns"
            if limits.max_row_bytes is not None and shape.row_bytes > limits.max_row_bytes:
                return f"a row of {table} would take more than {limits.max_row_bytes} bytes"
            if self._parents.get(table, parents[table]) != parents[table]:
                return f"two arrays would share the table {table}"
        nested = [name for name in self._parents.keys() | parents.keys() if name.startswith(f"{root}__")]
        if len(nested) > limits.max_nested_tables:
            return f"the arrays of {root} would become more than {limits.max_nested_tables} tables"
        self._columns |= columns
        self._parents |= parents
        return None


def _table(root: str, path: str) -> str:
    return f"{root}__{path}" if path else root
