"""DuckDB: a file with one writer, and services that speak its dialect."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient, WithTableScanners
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import (
    BusyError,
    CloudflareOAuthError,
    ConfigurationError,
    DestinationError,
    inventory_source,
)
from cloudflare_oauth.inventory import Inventory

from . import duckdb_memory
from .adapter import Adapter, AnyDestination, plain_dataset, prepare
from .appending import NewRows, is_uneventful, transaction
from .batch import Batch, Piece
from .duckdb_literals import LiteralDuckDB
from .duckdb_views import DuckDBViews
from .target import NO_LOCKS, Target

if TYPE_CHECKING:
    import pyarrow as pa

_LOCKED = re.compile(r"Could not set lock on file .*?(?:\(PID (\d+)\)|$)", re.DOTALL)
# DuckDB takes every error of a lock for a conflict; then no process is found that holds one. Nor is one that
# runs in another container.
_PERHAPS_NO_LOCKS = re.compile(r"held in PID 0\b|File locks are not supported")
_NEWER_FILE = re.compile(r"version number \d+, but we can only read|created with a newer version of DuckDB")
# Any number of processes may read a DuckDB file at the same time, if none of them may write to it.
_READER = {"read_only": True}


class DuckDB(Adapter):
    """DuckDB under another name, or MotherDuck: rows are loaded by column."""

    stored_views = DuckDBViews()

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """As in `Adapter`."""
        _extract(pipeline, batch, self.capabilities)
        pipeline.load()

    def is_native_to_views(self, client: SqlClientBase[Any]) -> bool:
        """As in `Adapter`: DuckDB looks for a view's tables in the view's own schema."""
        return isinstance(client, DuckDbSqlClient) and not isinstance(client, WithTableScanners)

    def explain(self, error: BaseException) -> CloudflareOAuthError | None:
        """As in `Adapter`: a file that is locked, or that a newer DuckDB has written."""
        file = self.target.duckdb_file or self.target
        if _PERHAPS_NO_LOCKS.search(str(error)) and not _has_locks(Path(str(file)).absolute().parent):
            return ConfigurationError(
                f"{file} cannot be opened for writing, because its filesystem has no file locks: put it on a "
                "local disk (--db)."
            )
        if locked := _LOCKED.search(str(error)):
            process = f"process {locked[1]}" if locked[1] else "another process"
            return BusyError(
                f"{file} is open in {process}: a sync, a notebook or a DuckDB shell. Close it and run again"
            )
        if _NEWER_FILE.search(str(error)):
            return DestinationError(
                f"{file} was written by a newer DuckDB (2.0 or later), which this release cannot open. "
                f"Convert it with that DuckDB: ATTACH '{file}' AS old (READ_ONLY); ATTACH 'converted.duckdb' "
                "AS new (STORAGE_VERSION 'v1.0.0'); COPY FROM DATABASE old TO new; and use converted.duckdb"
            )
        return None


class DuckDBFile(DuckDB):
    """A DuckDB file, which one process at a time can open for writing."""

    excludes_other_writers = True

    def __init__(self, target: Target) -> None:
        super().__init__(target, LiteralDuckDB())

    def destination(self, *, read_only: bool) -> AnyDestination:
        """As in `Adapter`."""
        settings: Mapping[str, Any] = _READER if read_only else {}
        file = self.target.duckdb_file
        if file is not None:
            self.target.check_file(file, read_only=read_only)
            return LiteralDuckDB({"database": str(file), **settings})
        # dlt's configuration names the database, and how it is opened for writing.
        layout = self.target.staging_dataset_layout
        if read_only:
            return LiteralDuckDB(dict(settings), staging_dataset_name_layout=layout)
        return LiteralDuckDB(staging_dataset_name_layout=layout)

    @contextmanager
    def hold(self, pipeline: dlt.Pipeline) -> Iterator[None]:
        """As in `Adapter`: dlt opens and closes connections; this one stays."""
        client = plain_dataset(pipeline).sql_client
        client.open_connection()
        try:
            if self.target.duckdb_file:
                # A user who configured the database has configured these, too.
                duckdb_memory.set_limit(client, duckdb_memory.limit_for())
                # dlt loads several tables at once; more threads for each take memory and save no time.
                client.execute_sql("SET threads = 1")
            yield
        finally:
            client.close_connection()

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """As in `Adapter`: what is new is appended, while it is read."""
        with transaction(pipeline, inventory) as client:
            new = NewRows(inventory, self.capabilities, write=partial(insert, client.sql_client))
            rest = [piece for piece in batch if not new.take(piece)]
            new.flush()
            new.insert_few(client.sql_client)
            if not new.is_empty:
                client.complete_load(new.load_id)
        if not rest:
            return
        _extract(pipeline, rest, self.capabilities)
        if self.target.duckdb_file is None:
            pipeline.load()
            return
        with plain_dataset(pipeline).sql_client as client:
            duckdb_memory.set_limit(client, duckdb_memory.limit_for(batch))
            pipeline.load()
            if not batch.is_last:
                duckdb_memory.release(client)


def _has_locks(folder: Path) -> bool:
    """Whether files in a folder can be locked; true if that cannot be told."""
    # Not at the top: only POSIX has it.
    import fcntl

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in NO_LOCKS
    return True


def insert(client: SqlClientBase[Any], table: str, rows: "pa.Table") -> None:
    """Insert rows into a table, in the transaction that is open."""
    # DuckDB finds it by the name of the variable.
    client.native_connection.execute(
        f"INSERT INTO {client.make_qualified_table_name(table)} BY NAME SELECT * FROM rows"
    )


def _extract(
    pipeline: dlt.Pipeline, batch: Iterable[Piece], capabilities: DestinationCapabilitiesContext
) -> None:
    begun = []
    pieces = iter(batch)
    for piece in pieces:
        begun.append(piece)
        if not is_uneventful(piece):
            # Not at the top: importing Arrow takes long, and by now the first responses are on their way.
            from .arrow_loader import extract

            extract(pipeline, chain(begun, pieces), capabilities)
            return
    # Nothing is new, as in most syncs: these few rows need no Arrow, which imports pandas.
    prepare(pipeline)
    pipeline.extract(inventory_source((piece.content for piece in begun), file_format="jsonl"))
    pipeline.normalize()
