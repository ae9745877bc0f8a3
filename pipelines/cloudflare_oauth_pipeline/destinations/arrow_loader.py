"""Writes clients and their changes by column instead of by row, into dlt's own load package.

dlt normalises rows one by one, and their arrays into tables of their own; of many changed clients that takes
most of the time. Arrow converts plain rows a column at a time into the same files. They join the package that
dlt has made of all other rows before it is loaded, so that dlt loads both at once, in one transaction.

Without this module `pipeline.run(inventory_source(pieces))` produces equal tables.
"""

import tempfile
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.storages import FileStorage, LoadStorage, PackageStorage, ParsedLoadJobFileName

from cloudflare_oauth import inventory_source, read_stored_tables
from cloudflare_oauth.inventory import Rows
from cloudflare_oauth.records import JSON

from .adapter import prepare
from .arrow_tables import ArrowTables, is_plain, tables_of_other_types
from .batch import Piece

# Those that may have many rows.
_BY_COLUMN = ("oauth_clients", "oauth_client_changes")


def extract(
    pipeline: dlt.Pipeline, pieces: Iterable[Piece], capabilities: DestinationCapabilitiesContext
) -> None:
    """Extract and normalize the pieces of a batch into one package, ready to be loaded.

    Raises:
        PipelineStepFailed: as `dlt.Pipeline.extract` and `dlt.Pipeline.normalize`.
    """
    prepare(pipeline)
    retyped = tables_of_other_types(read_stored_tables(pipeline))
    with tempfile.TemporaryDirectory(prefix="arrow-", dir=pipeline.working_dir) as folder:
        with ArrowFiles(Path(folder), capabilities, left_to_dlt=retyped) as files:
            pipeline.extract(inventory_source(map(files.take, pieces)))
        pipeline.normalize()
        join_package(pipeline, files.paths)


def join_package(pipeline: dlt.Pipeline, files: Iterable[Path]) -> None:
    """Move files into the package that is loaded next."""
    (load_id,) = pipeline.list_normalized_load_packages()
    folder = Path(pipeline.working_dir) / "load" / LoadStorage.NORMALIZED_FOLDER
    package = PackageStorage(FileStorage(str(folder)), "normalized")
    for file in files:
        package.import_job(load_id, str(file))


class ArrowFiles:
    """Parquet files that take the plain rows out of pieces, while dlt extracts the other rows."""

    def __init__(
        self,
        folder: Path,
        capabilities: DestinationCapabilitiesContext,
        left_to_dlt: Collection[str] = (),
    ) -> None:
        self.paths: list[Path] = []
        self._left_to_dlt = left_to_dlt
        self._folder = folder
        self._capabilities = capabilities
        self._tables: ArrowTables | None = None
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        with self._closing:
            # After a failure they are not read.
            if failure is None and self._tables:
                self._tables.flush()

    def take(self, piece: Piece) -> Rows:
        """Take the plain rows; return the piece without them."""
        if self._tables is None:
            load_id = dlt.current.load_package_state()["load_id"]
            self._tables = ArrowTables(self._capabilities, load_id, self.write)
        rest = dict(piece.content)
        for name in _BY_COLUMN:
            plain: list[JSON] = []
            rest[name] = []
            for row in piece.content.get(name, ()):
                is_taken = name not in self._left_to_dlt and is_plain(name, row)
                (plain if is_taken else rest[name]).append(row)
            self._tables.add(name, plain, piece)
        return rest

    def write(self, name: str, table: pa.Table) -> None:
        """Append the rows of a table to its file."""
        if name not in self._writers:
            file_id = ParsedLoadJobFileName.new_file_id()
            file = PackageStorage.build_job_file_name(name, file_id, loader_file_format="parquet")
            self.paths.append(self._folder / file)
            writer = pq.ParquetWriter(self.paths[-1], table.schema)
            self._writers[name] = self._closing.enter_context(writer)
        self._writers[name].write_table(table)
