"""Converts rows to Arrow tables: a root table, and one table for each of its arrays, as dlt would make them.

Only plain rows can be converted, which have declared fields alone; where another field belongs, dlt knows.
"""

import base64
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import columns_to_arrow

from cloudflare_oauth import StoredTables, declared_schema
from cloudflare_oauth.records import ARRAYS, ELEMENT_COLUMNS, ELEMENT_FACTS, JSON, TABLES, Column

from .batch import Piece

# How many rows and characters are converted at a time.
ROWS_AT_ONCE = 25_000
CHARACTERS_AT_ONCE = 8_000_000

Write = Callable[[str, pa.Table], None]
"""Takes rows of a table, by its name."""


def tables_of_other_types(stored: StoredTables) -> set[str]:
    """The root tables of which the dataset has a declared column with another type, or their arrays do.

    An earlier release has learned it as an undeclared field. dlt knows where its values go.
    """
    return {
        name.partition("__")[0]
        for name, table in declared_schema().tables.items()
        for column in table["columns"].values()
        if name in stored
        and stored[name]["columns"].get(column["name"] or "", column).get("data_type") != column["data_type"]
    }


@dataclass(frozen=True)
class _Plain:
    """The fields of a plain row: columns, arrays of texts, and objects of columns."""

    fields: frozenset[str]
    arrays: Collection[str]
    objects: dict[str, frozenset[str]]

    @classmethod
    def of(cls, columns: tuple[Column, ...], arrays: Collection[str] = ()) -> Self:
        """The declared columns and arrays, and nothing else."""
        names = [column.name.partition("__") for column in columns]
        objects = {
            outer: frozenset(inner for other, _, inner in names if other == outer)
            for outer, _, inner in names
            if inner
        }
        return cls(frozenset(outer for outer, _, _ in names) | frozenset(arrays), arrays, objects)

    def has(self, row: JSON) -> bool:
        """Whether the row is plain; an undeclared field that is null becomes no column."""
        return _has_only(row, self.fields) and all(
            _has_only(row.get(name) or {}, inner) for name, inner in self.objects.items()
        )


def _has_only(row: JSON, fields: frozenset[str]) -> bool:
    return fields.issuperset(row) or all(row[name] is None for name in row.keys() - fields)


_ARRAYS_OF: Mapping[str, Collection[str]] = {"oauth_clients": ARRAYS, "oauth_scopes": ("scopes",)}
_PLAIN = {name: _Plain.of(columns, _ARRAYS_OF.get(name, ())) for name, (_, columns) in TABLES.items()}


def is_plain(name: str, row: JSON) -> bool:
    """Whether a row of a root table has declared fields alone."""
    return _PLAIN[name].has(row)


class ArrowTables:
    """Converts plain rows, many at a time, and hands them on; call `flush` after the last.

    Args:
        load_id: of the rows.
        write: called with rows of one table at a time.
    """

    def __init__(self, capabilities: DestinationCapabilitiesContext, load_id: str, write: Write) -> None:
        self.schemas = {
            name: columns_to_arrow(table["columns"], capabilities, "UTC")
            for name, table in declared_schema().tables.items()
        }
        self._load_id = load_id
        self._write = write
        self._waiting: dict[str, list[JSON]] = {name: [] for name in TABLES}
        self._rows = dict.fromkeys(TABLES, 0.0)
        self._characters = dict.fromkeys(TABLES, 0.0)

    def add(self, name: str, rows: list[JSON], piece: Piece) -> None:
        """Take rows of a root table, which came in a piece."""
        # One size for all rows of a piece: they belong to one account.
        self._waiting[name].extend(rows)
        self._rows[name] += len(rows) * (1 + piece.elements / (piece.rows or 1))
        self._characters[name] += len(rows) * piece.characters / (piece.rows or 1)
        if self._rows[name] >= ROWS_AT_ONCE or self._characters[name] >= CHARACTERS_AT_ONCE:
            self._convert(name)

    def flush(self) -> None:
        """Convert what is left."""
        for name in TABLES:
            self._convert(name)

    def _convert(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        self._rows[name] = self._characters[name] = 0.0
        if not rows:
            return
        root = self._root_table(name, rows)
        self._write(name, root)
        for array in _PLAIN[name].arrays:
            table = f"{name}__{array}"
            elements = _elements(root, array, rows, self.schemas[table])
            if elements.num_rows:
                self._write(table, elements)

    def _root_table(self, name: str, rows: list[JSON]) -> pa.Table:
        schema = self.schemas[name]
        ours: dict[str, list[Any]] = {
            "_dlt_id": _row_ids(len(rows)),
            "_dlt_load_id": [self._load_id] * len(rows),
        }

        def values(column: str) -> list[Any]:
            outer, _, inner = column.partition("__")
            if outer in _PLAIN[name].objects:
                return [(row.get(outer) or {}).get(inner) for row in rows]
            return ours.get(column) or [row.get(column) for row in rows]

        return pa.table([pa.array(values(field.name), field.type) for field in schema], schema=schema)


def _row_ids(number: int) -> list[str]:
    """Values of `_dlt_id`, as unique as dlt's: 72 bits, counted up from a random number.

    DuckDB stores such short texts inline, and neighbours compress well: the file is a sixth smaller.
    """
    first = secrets.randbelow(2**72 - number)
    numbers = b"".join(each.to_bytes(9, "big") for each in range(first, first + number))
    text = base64.urlsafe_b64encode(numbers).decode()
    return [text[start : start + 12] for start in range(0, len(text), 12)]


def _elements(root: pa.Table, array: str, rows: list[JSON], schema: pa.Schema) -> pa.Table:
    """A row for each element of the root rows' arrays, in the order of both."""
    lists = pa.array([row.get(array) for row in rows], pa.list_(pa.string()))
    # For each element: the root row that is its parent, and so where its array begins.
    parents = pc.list_parent_indices(lists)
    starts = lists.offsets.take(parents).cast(pa.int64())
    ids = root["_dlt_id"].take(parents)
    columns = {
        "value": pc.list_flatten(lists),
        "_dlt_id": pa.array(_row_ids(len(parents)), pa.string()),
        "_dlt_root_id": ids,
        "_dlt_parent_id": ids,
        "_dlt_list_idx": pc.subtract(pa.array(range(len(parents)), pa.int64()), starts),
    }
    facts_of = ELEMENT_FACTS.get(array)
    if facts_of and ELEMENT_COLUMNS[array][0].name in schema.names:
        # Computed once for each distinct value; null has none.
        encoded = columns["value"].dictionary_encode()
        facts = [facts_of(value) for value in encoded.dictionary.to_pylist()]
        for column in ELEMENT_COLUMNS[array]:
            found = pa.array([fact.get(column.name) for fact in facts], schema.field(column.name).type)
            columns[column.name] = found.take(encoded.indices)
    return pa.table(
        [columns[name] if name in columns else root[name].take(parents) for name in schema.names],
        schema=schema,
    )
