"""Clients and their changes by column instead of by row, in dlt's own load package.

dlt takes rows apart one by one, and their arrays into tables of their own; on a first sync that is most
of the time. But most rows are plain: they have only the fields that are declared. Arrow takes plain
rows apart a column at a time and makes the same files. They join the package that dlt has made of
everything else before it is loaded, so that dlt loads both at once, in one transaction.

Without this module `pipeline.run(inventory_source(pieces))` makes equal tables.
"""

import base64
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import columns_to_arrow
from dlt.common.storages import PackageStorage, ParsedLoadJobFileName

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth.inventory.run import Rows
from cloudflare_oauth.records.canonical import JSON
from cloudflare_oauth.records.enrichment import ELEMENT_FACTS
from cloudflare_oauth.records.tables import (
    ARRAYS,
    ELEMENT_COLUMNS,
    OAUTH_CLIENT_CHANGES,
    OAUTH_CLIENTS,
    Column,
)
from cloudflare_oauth.source import inventory_source

from .exclusion import alone
from .row_size import character_count, element_count

# They load parquet files as they are, and this is tested with the first.
DESTINATIONS = ("dlt.destinations.duckdb", "dlt.destinations.motherduck")

# How much Arrow makes into columns at a time, and DuckDB reads of a file at a time.
ROWS_PER_WRITE = 25_000
CHARACTERS_PER_WRITE = 8_000_000


def load(pipeline: dlt.Pipeline, pieces: Iterator[Rows]) -> None:
    """Load pieces of an inventory as one package.

    Raises:
        PipelineStepFailed: as `dlt.Pipeline.run`.
    """
    if not pipeline.schema_names:
        # What `run` does before its first load.
        pipeline.sync_destination()
    destination = pipeline.destination
    if destination is None or destination.destination_type not in DESTINATIONS:
        pipeline.extract(inventory_source(pieces))
        pipeline.normalize()
        with alone(pipeline):
            pipeline.load()
        return
    with tempfile.TemporaryDirectory(prefix="arrow_loader-", dir=pipeline.working_dir) as folder:
        with _Files(Path(folder), destination.capabilities()) as files:
            pipeline.extract(inventory_source(map(files.take, pieces)))
        pipeline.normalize()
        _join_package(pipeline, files.paths)
    pipeline.load()


def _join_package(pipeline: dlt.Pipeline, files: Iterable[Path]) -> None:
    """Move files into the package that is to be loaded next."""
    packages = pipeline._get_load_storage().normalized_packages
    (load_id,) = packages.list_packages()
    for file in files:
        packages.import_job(load_id, str(file))


@dataclass(frozen=True)
class _Plain:
    """What a row of a table may have to be plain: columns, arrays of texts, objects of columns."""

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
        """Whether the row is plain."""
        return self.fields.issuperset(row) and all(
            inner.issuperset(row.get(name, ())) for name, inner in self.objects.items()
        )


_PLAIN = {
    "oauth_clients": _Plain.of(OAUTH_CLIENTS, ARRAYS),
    "oauth_client_changes": _Plain.of(OAUTH_CLIENT_CHANGES),
}


class _Files:
    """Parquet files that take the plain rows out of pieces, while dlt extracts what is left of them."""

    def __init__(self, folder: Path, capabilities: DestinationCapabilitiesContext) -> None:
        self.paths: list[Path] = []
        self._folder = folder
        self._waiting: dict[str, list[JSON]] = {name: [] for name in _PLAIN}
        self._rows = dict.fromkeys(_PLAIN, 0)
        self._characters = dict.fromkeys(_PLAIN, 0)
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._closing = ExitStack()
        self._schemas = {
            name: columns_to_arrow(table["columns"], capabilities, "UTC")
            for name, table in declared_schema().tables.items()
        }
        self._load_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        with self._closing:
            for name in _PLAIN:
                # After a failure nobody will read them.
                if failure is None:
                    self._write_waiting(name)

    def take(self, piece: Rows) -> Rows:
        """Take the plain rows; return the piece without them."""
        self._load_id = dlt.current.load_package_state()["load_id"]
        rest = dict(piece)
        for name, plain in _PLAIN.items():
            rest[name] = []
            for row in piece.get(name, ()):
                if not plain.has(row):
                    rest[name].append(row)
                    continue
                self._waiting[name].append(row)
                self._rows[name] += 1 + element_count(row)
                self._characters[name] += character_count(row)
                if self._rows[name] >= ROWS_PER_WRITE or self._characters[name] >= CHARACTERS_PER_WRITE:
                    self._write_waiting(name)
        return rest

    def _write_waiting(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        self._rows[name] = self._characters[name] = 0
        if not rows:
            return
        root = self._root_table(name, rows)
        self._write(name, root)
        for array in _PLAIN[name].arrays:
            table = f"{name}__{array}"
            self._write(table, _elements(root, array, rows, self._schemas[table]))

    def _write(self, name: str, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if name not in self._writers:
            file_id = ParsedLoadJobFileName.new_file_id()
            file = PackageStorage.build_job_file_name(name, file_id, loader_file_format="parquet")
            self.paths.append(self._folder / file)
            writer = pq.ParquetWriter(self.paths[-1], self._schemas[name])
            self._writers[name] = self._closing.enter_context(writer)
        self._writers[name].write_table(table)

    def _root_table(self, name: str, rows: list[JSON]) -> pa.Table:
        schema = self._schemas[name]
        ours: dict[str, list[Any]] = {
            "_dlt_id": _row_ids(len(rows)),
            "_dlt_load_id": [self._load_id] * len(rows),
        }

        def values(column: str) -> list[Any]:
            outer, _, inner = column.partition("__")
            if outer in _PLAIN[name].objects:
                return [row[outer].get(inner) if outer in row else None for row in rows]
            return ours.get(column) or [row.get(column) for row in rows]

        return pa.table([pa.array(values(field.name), field.type) for field in schema], schema=schema)


def _row_ids(number: int) -> list[str]:
    """Values of `_dlt_id`, no less unique than dlt's: 72 bits, counted up from a random beginning.

    DuckDB keeps such short texts in place, and neighbours compress well: the file is a sixth smaller.
    """
    first = secrets.randbelow(2**72 - number)
    numbers = b"".join(each.to_bytes(9, "big") for each in range(first, first + number))
    text = base64.urlsafe_b64encode(numbers).decode()
    return [text[start : start + 12] for start in range(0, len(text), 12)]


def _elements(root: pa.Table, array: str, rows: list[JSON], schema: pa.Schema) -> pa.Table:
    """A row for each element of the root rows' arrays, in the order of both."""
    lists = pa.array([row.get(array) for row in rows], pa.list_(pa.string()))
    # Of each element: which root row is its parent, and so where its array begins.
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
    if facts_of := ELEMENT_FACTS.get(array):
        # Once for each value, however often it is there; of null there are none.
        encoded = columns["value"].dictionary_encode()
        facts = [facts_of(value) for value in encoded.dictionary.to_pylist()]
        for column in ELEMENT_COLUMNS[array]:
            found = pa.array([fact.get(column.name) for fact in facts], schema.field(column.name).type)
            columns[column.name] = found.take(encoded.indices)
    return pa.table(
        [columns[name] if name in columns else root[name].take(parents) for name in schema.names],
        schema=schema,
    )
