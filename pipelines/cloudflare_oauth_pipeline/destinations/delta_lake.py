"""Delta Lake tables without the orphaned child rows that dlt's filesystem merge leaves behind.

dlt merges each Delta table alone: when a client changes or is deleted, the old elements of its arrays stay,
and so dlt refuses to delete rows that have any. Here every version of a client gets a new id, and elements
whose client no longer exists by that id are removed before dlt marks the load as complete. A client from a
load that was never completed counts as unknown (see `inventory.stored_state`): the next sync writes it again.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import dlt
import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.common.schema import Schema, TSchemaTables
from dlt.common.schema.utils import get_nested_tables, is_nested_table
from dlt.common.storages.fsspec_filesystem import S3_PROTOCOLS
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.filesystem.factory import filesystem
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import ConfigurationError, declared_schema
from cloudflare_oauth.destinations import DestinationLimits, limits_of
from cloudflare_oauth.inventory import Inventory, Rows

from .adapter import Adapter, AnyDestination, DatasetLock, plain_dataset
from .appending import NewRows, append_and_load
from .batch import Batch
from .file_lock import file_lock

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

# How long another sync's load is waited for.
LONGEST_WAIT_SECONDS = 600

WITH_ARRAYS = ("oauth_clients", "oauth_scopes")


class DeltaLakeFolder(Adapter):
    """A folder or bucket of Delta tables."""

    shows_declared_columns = True

    @property
    def limits(self) -> DestinationLimits:
        """As in `Adapter`."""
        return limits_of("filesystem")

    def destination(self, *, read_only: bool) -> AnyDestination:
        """As in `Adapter`."""
        name = self._destination.destination_name
        if "delta" not in (self._destination.capabilities().supported_table_formats or ()):
            raise ConfigurationError(f"the destination {name}: dlt has no Delta tables on Hugging Face.")
        if importlib.util.find_spec("deltalake") is None:
            raise ConfigurationError(
                f"the destination {name} needs Delta tables, because from plain files dlt removes no row: "
                "pip install 'deltalake>=1.5'"
            )
        return DeltaLake(**self._destination.config_params)

    @contextmanager
    def lock(self, pipeline: dlt.Pipeline) -> Iterator[DatasetLock]:
        """As in `Adapter`: a table refuses a second writer, and its rows would look like orphans."""
        with plain_dataset(pipeline).destination_client as client:
            if isinstance(client, DeltaLakeClient) and client.is_local_filesystem:
                folder = Path(client.dataset_path)
                file = folder.with_name(f"{folder.name}.lock")
                with file_lock(file, folder, LONGEST_WAIT_SECONDS) as lock:
                    yield lock
            elif isinstance(client, DeltaLakeClient) and client.is_on_s3:
                # Not at the top: botocore is optional.
                from .bucket_lock import bucket_lock

                path = client.dataset_path.rstrip("/") + ".lock"
                with (
                    bucket_lock(client.fs_client, path, LONGEST_WAIT_SECONDS, self.observer) as held,
                    _known_to(pipeline.destination, held),
                ):
                    yield held
            else:
                yield DatasetLock()

    def warnings(self, pipeline: dlt.Pipeline) -> Iterator[str]:
        """As in `Adapter`."""
        name = self._destination.destination_name
        yield (
            f"{name} has no transaction over several tables: while a sync loads, a client may be there "
            "without its arrays; what a killed sync leaves half done, the next one writes anew"
        )
        yield f"{name} has no views: there are the tables alone"
        with pipeline.dataset(schema=declared_schema()).destination_client as client:
            if isinstance(client, DeltaLakeClient) and not (client.is_local_filesystem or client.is_on_s3):
                yield f"{name} keeps no two syncs apart: run one at a time into this dataset"

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """As in `Adapter`: what is new is appended table by table, arrays first."""
        new = NewRows(inventory, self.capabilities, leaves_few=False)

        def append(lock: DatasetLock) -> bool:
            with pipeline.dataset(schema=inventory.stored.schema).destination_client as client:
                assert isinstance(client, DeltaLakeClient)  # noqa: S101
                with client.sql_client as sql_client:
                    if new.any_is_known(sql_client):
                        return False
                for name in sorted(new.tables, key=lambda name: ("__" not in name, name)):
                    client.append(name, new.tables[name])
                lock.check()
                client.complete_append(new.load_id)
            return True

        append_and_load(self, pipeline, batch, inventory, new, append)

    def prepared(self, pieces: list[Rows]) -> Iterator[Rows]:
        """As in `Adapter`: a new id for each version of a row with arrays; dlt would reuse the old one."""
        for piece in pieces:
            yield {
                name: [row | {"_dlt_id": generate_dlt_ids(1)[0]} for row in rows]
                if name in WITH_ARRAYS
                else rows
                for name, rows in piece.items()
            }


@contextmanager
def _known_to(destination: AnyDestination | None, lock: DatasetLock) -> Iterator[None]:
    """Let the destination's clients check the lock before they mark a load as complete."""
    assert isinstance(destination, DeltaLake)  # noqa: S101  # as `DeltaLakeFolder.destination` returns it
    destination.lock = lock
    try:
        yield
    finally:
        destination.lock = DatasetLock()


class DeltaLake(filesystem):
    """dlt's `filesystem` with Delta tables only.

    Attributes:
        lock: the lock on the dataset, while it is held.
    """

    lock = DatasetLock()

    @property
    def client_class(self) -> type[FilesystemClient]:
        return DeltaLakeClient

    def client(self, schema: Schema, initial_config: Any = None) -> FilesystemClient:
        client = super().client(schema, initial_config)
        if isinstance(client, DeltaLakeClient):
            client.lock = self.lock
        return client

    @property
    def destination_name(self) -> str:
        return self.config_params.get("destination_name") or "filesystem"

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_table_format = "delta"
        capabilities.preferred_loader_file_format = "parquet"
        # dlt claims otherwise, but every table is written by itself.
        capabilities.supports_ddl_transactions = False
        return capabilities


class DeltaLakeClient(FilesystemClient):
    """Writes Delta tables.

    Attributes:
        lock: the lock on the dataset, if it is held.
    """

    lock = DatasetLock()

    @property
    def is_on_s3(self) -> bool:
        """Whether the tables lie in a bucket that is spoken to as S3."""
        return self.config.protocol in S3_PROTOCOLS

    @property
    def sql_client(self) -> SqlClientBase[Any]:
        if self._sql_client is None:
            self._sql_client = DeltaLakeSqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: SqlClientBase[Any]) -> None:
        self._sql_client = client

    def verify_schema_table_format(self, load_tables: Sequence[PreparedTableSchema]) -> list[Exception]:
        # Its only complaint here is that elements of arrays would stay, which `complete_load` removes.
        return []

    def update_stored_schema(
        self,
        only_tables: Any = None,
        expected_update: Any = None,
        force: bool = False,
    ) -> TSchemaTables:
        """Create the missing tables, not only their folders."""
        update = super().update_stored_schema(only_tables, expected_update, force)
        for name in self.schema.data_table_names(seen_data_only=True):
            if self.opened(name) is None:
                self._create(name)
        return update

    def _create(self, name: str) -> None:
        # Not at the top: the package is optional.
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
        from dlt.common.libs.pyarrow import columns_to_arrow

        try:
            DeltaTable.create(
                self.get_open_table_location("delta", name),
                schema=columns_to_arrow(self.schema.tables[name]["columns"], self.capabilities, "UTC"),
                storage_options=self.storage_options,
            )
        except DeltaError:
            # Another process may have created it at the same time.
            if self.opened(name) is None:
                raise

    def append(self, name: str, tables: "list[pa.Table]") -> None:
        """Append rows to a table that exists, as one version of it."""
        # Not at the top: the package is optional, and Arrow takes long to import.
        import pyarrow as pa
        from dlt.common.libs.deltalake import write_delta_table

        write_delta_table(
            self.get_open_table_location("delta", name),
            pa.concat_tables(tables),
            "append",
            storage_options=self.storage_options,
        )

    def complete_append(self, load_id: str) -> None:
        """Mark a load as complete that has replaced nothing."""
        super().complete_load(load_id)

    def complete_load(self, load_id: str) -> None:
        """Remove the elements of arrays whose parent is gone, then mark the load as complete."""
        tables = self.schema.tables
        for root in self.schema.data_table_names(seen_data_only=True):
            if not is_nested_table(tables[root]):
                for nested in get_nested_tables(tables, root, include_self=False):
                    self._remove_orphans(root, nested["name"] or "")
        self.lock.check()
        super().complete_load(load_id)

    def _remove_orphans(self, root_name: str, nested_name: str) -> None:
        # Not at the top: Arrow takes long to import, and other destinations do not need it.
        import pyarrow as pa
        import pyarrow.compute as pc

        root, nested = self.opened(root_name), self.opened(nested_name)
        if root is None or nested is None:
            return
        ids = root.to_pyarrow_table(columns=["_dlt_id"])["_dlt_id"]
        parents = nested.to_pyarrow_table(columns=["_dlt_root_id"])["_dlt_root_id"].unique()
        orphans = parents.filter(pc.invert(pc.is_in(parents, value_set=ids)))
        if len(orphans):
            nested.merge(
                pa.table({"_dlt_root_id": orphans}),
                predicate="target._dlt_root_id = source._dlt_root_id",
                source_alias="source",
                target_alias="target",
            ).when_matched_delete().execute()

    def opened(self, table_name: str) -> "DeltaTable | None":
        """The Delta table; None if it does not exist."""
        try:
            table: DeltaTable = self.load_open_table("delta", table_name)
        except DestinationUndefinedEntity:
            return None
        return table

    @property
    def storage_options(self) -> dict[str, str]:
        """How the Delta library opens the tables."""
        # Not at the top: it imports the optional package.
        from dlt.common.libs.deltalake import deltalake_storage_options

        return deltalake_storage_options(self.config.credentials, self.config.deltalake_storage_options)


class DeltaLakeSqlClient(FilesystemSqlClient):
    """Reads Delta tables without DuckDB's extensions, which it would download."""

    remote_client: DeltaLakeClient

    def create_secret(
        self, scope: str, credentials: Any, secret_name: str | None = None, persist_secrets: bool = False
    ) -> bool:
        """Let DuckDB read a bucket through dlt's own file system; a secret would load its extension."""
        protocol = self.remote_client.config.protocol
        if protocol != "file":
            self._register_filesystem(self.remote_client.fs_client, protocol)
        return True

    @classmethod
    def _make_database_exception(cls, ex: Exception) -> Exception:
        # An unreadable file must not pass for a missing table: everything would look new.
        if isinstance(ex, duckdb.IOException):
            return DatabaseTransientException(ex)
        return super()._make_database_exception(ex)

    def should_replace_view(self, view_name: str, table_schema: PreparedTableSchema) -> bool:
        # The view names the files of one version.
        return True

    def create_view_select(
        self, table_schema: PreparedTableSchema, schema: Any = None
    ) -> tuple[str, str] | None:
        name = table_schema["name"] or ""
        if self.remote_client.is_dlt_table(name):
            return super().create_view_select(table_schema, schema)
        table = self.remote_client.opened(name)
        if table is None:
            raise DestinationUndefinedEntity(name)
        type_of = self.capabilities.get_type_mapper().to_destination_type
        columns = [
            f"CAST(NULL AS {type_of(column, table_schema)}) AS {self.escape_column_name(column_name)}"
            for column_name, column in table_schema["columns"].items()
        ]
        # A table may have no file yet, and an older file may lack columns.
        select = f"SELECT {', '.join(columns)} WHERE false"
        if files := table.file_uris():
            listed = ", ".join("'{}'".format(unquote(file).replace("'", "''")) for file in files)
            select += f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name=true)"
        return table.table_uri, select
