"""Files as Delta tables, kept exact: dlt's own destination of files replaces rows, and not those of arrays.

dlt merges each Delta table alone. Of a client that changed or went, the old elements of its arrays stay
behind, and so dlt refuses to remove rows that have any. Here every version of a client has a new id; what
has no client any more by its id is removed before dlt calls the load complete. A client of a load that was
never completed counts as unknown (see `cloudflare_oauth.stored`), so the next sync writes it anew.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.schema import TSchemaTables
from dlt.common.schema.utils import get_nested_tables, is_nested_table
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.filesystem.factory import filesystem
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.sql_client import SqlClientBase

if TYPE_CHECKING:
    from deltalake import DeltaTable


class DeltaLake(filesystem):
    """dlt's `filesystem`, all of whose tables are Delta tables."""

    @property
    def client_class(self) -> type[FilesystemClient]:
        return DeltaLakeClient

    @property
    def destination_name(self) -> str:
        return self.config_params.get("destination_name") or "filesystem"

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_table_format = "delta"
        capabilities.preferred_loader_file_format = "parquet"
        # dlt says otherwise of files, but every table is written by itself.
        capabilities.supports_ddl_transactions = False
        return capabilities


class DeltaLakeClient(FilesystemClient):
    """Writes Delta tables."""

    @property
    def sql_client(self) -> SqlClientBase[Any]:
        if self._sql_client is None:
            self._sql_client = DeltaLakeSqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: SqlClientBase[Any]) -> None:
        self._sql_client = client

    def verify_schema_table_format(self, load_tables: Sequence[PreparedTableSchema]) -> list[Exception]:
        # Its only complaint of ours: that arrays would be left behind.
        return []

    def update_stored_schema(
        self,
        only_tables: Any = None,
        expected_update: Any = None,
        force: bool = False,
    ) -> TSchemaTables:
        """Create the tables that are missing too, and not only their folders."""
        update = super().update_stored_schema(only_tables, expected_update, force)
        for name in self.schema.data_table_names(seen_data_only=True):
            if self.opened(name) is None:
                self._create(name)
        return update

    def _create(self, name: str) -> None:
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
            # Another process may have created it in this moment.
            if self.opened(name) is None:
                raise

    def complete_load(self, load_id: str) -> None:
        """Remove the elements of arrays that belong to nothing any more, and only then be complete."""
        tables = self.schema.tables
        for root in self.schema.data_table_names(seen_data_only=True):
            if not is_nested_table(tables[root]):
                for nested in get_nested_tables(tables, root, include_self=False):
                    self._remove_orphans(root, nested["name"] or "")
        super().complete_load(load_id)

    def _remove_orphans(self, root_name: str, nested_name: str) -> None:
        # Imported late, as above: who syncs into another destination asks Cloudflare first.
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
        """How the Delta library gets at the tables."""
        from dlt.common.libs.deltalake import deltalake_storage_options

        return deltalake_storage_options(self.config.credentials, self.config.deltalake_storage_options)


class DeltaLakeSqlClient(FilesystemSqlClient):
    """Reads Delta tables: local ones without DuckDB's extension for them, which it would download."""

    remote_client: DeltaLakeClient

    @classmethod
    def _make_database_exception(cls, ex: Exception) -> Exception:
        # A file that cannot be read is no table that does not exist: nothing is new for it.
        if isinstance(ex, duckdb.IOException):
            return DatabaseTransientException(ex)
        return super()._make_database_exception(ex)

    def should_replace_view(self, view_name: str, table_schema: PreparedTableSchema) -> bool:
        # The files of a version are in it by name.
        return True

    def create_view_select(
        self, table_schema: PreparedTableSchema, schema: Any = None
    ) -> tuple[str, str] | None:
        name = table_schema["name"] or ""
        if self.remote_client.config.protocol != "file" or self.remote_client.is_dlt_table(name):
            return super().create_view_select(table_schema, schema)
        table = self.remote_client.opened(name)
        if table is None:
            raise DestinationUndefinedEntity(name)
        type_of = self.capabilities.get_type_mapper().to_destination_type
        columns = [
            f"CAST(NULL AS {type_of(column, table_schema)}) AS {self.escape_column_name(column_name)}"
            for column_name, column in table_schema["columns"].items()
        ]
        # A table may have no file yet, and an older file not every column.
        select = f"SELECT {', '.join(columns)} WHERE false"
        if files := table.file_uris():
            listed = ", ".join("'{}'".format(unquote(file).replace("'", "''")) for file in files)
            select += f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name=true)"
        return table.table_uri, select
