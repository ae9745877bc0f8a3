"""dlt's client for DuckLake, with one DuckDB a process, whose extensions come from wheels."""

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
from dlt.common.configuration import configspec
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.ducklake.configuration import DuckLakeClientConfiguration, DuckLakeCredentials
from dlt.destinations.impl.ducklake.ducklake import DuckLakeClient
from dlt.destinations.impl.ducklake.sql_client import DuckLakeSqlClient
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import ConfigurationError

from .duckdb_literals import LiteralValues
from .ducklake import extension_file

if TYPE_CHECKING:
    from .postgres_locks import BoundedSqlClient

_SCANNERS = {"postgres": "postgres_scanner", "postgresql": "postgres_scanner", "sqlite": "sqlite_scanner"}
# dlt's own protocols of object stores that DuckDB's extension reads.
_OBJECT_STORES = ("s3", "gs", "gcs", "r2")


@configspec(init=False)
class LakeCredentials(DuckLakeCredentials):
    """dlt's credentials of a lake; all connections of a process to it share one DuckDB."""

    def _conn_str(self) -> str:
        # Where another lake has the same name in this process, it is in another DuckDB.
        lake = f"{self.catalog_location()} {self.storage_url}"
        return f":memory:lake_{hashlib.blake2b(lake.encode(), digest_size=8).hexdigest()}"

    def on_resolved(self) -> None:
        """As in dlt.

        Raises:
            ConfigurationError: the catalogue is of a kind that cannot be shared, or an extension is missing.
        """
        super().on_resolved()
        kind = self.catalog.drivername
        if kind not in _SCANNERS:
            why = (
                "which one process at a time can open" if kind == "duckdb" else "which is not supported here"
            )
            raise ConfigurationError(
                f"the destination ducklake: its catalogue is in {kind}, {why}: put it into PostgreSQL or "
                "SQLite (DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG=postgres://… or sqlite:///….sqlite)."
            )
        wanted = ["ducklake", _SCANNERS[kind]]
        if self.storage.protocol in _OBJECT_STORES:
            wanted.append("httpfs")
        files = {name: extension_file(name, duckdb.__version__) for name in wanted}
        if missing := [name for name, file in files.items() if file is None]:
            raise ConfigurationError(
                f"the destination ducklake needs extensions of DuckDB {duckdb.__version__} "
                f"({', '.join(missing)}), and nothing is downloaded while a sync runs: pip install "
                "'cloudflare-oauth-clients[ducklake]', which also installs the DuckDB that fits."
            )
        self.extensions = ["'{}'".format(str(file).replace("'", "''")) for file in files.values()]


@configspec
class LakeConfiguration(DuckLakeClientConfiguration):
    """dlt's configuration of a lake, with `LakeCredentials`."""

    credentials: LakeCredentials = None  # type: ignore[assignment]


class LakeSqlClient(DuckLakeSqlClient, LiteralValues):
    """dlt's client for DuckLake; no value is bound, and the lake stays attached for other connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._global_config |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}

    def close_connection(self) -> None:
        if self._conn:
            # What was not committed is not wanted.
            with suppress(duckdb.Error):
                self._conn.execute("ROLLBACK")
        super(DuckLakeSqlClient, self).close_connection()


class LakeClient(DuckLakeClient):
    """dlt's client for DuckLake, with `LakeSqlClient`."""

    def __init__(
        self, schema: Schema, config: LakeConfiguration, capabilities: DestinationCapabilitiesContext
    ) -> None:
        super().__init__(schema, config, capabilities)
        client = self.sql_client
        self.sql_client = LakeSqlClient(
            dataset_name=client.dataset_name,
            staging_dataset_name=client.staging_dataset_name,
            credentials=config.credentials,
            capabilities=capabilities,
            override_data_path=config.override_data_path,
            automatic_migration=config.automatic_migration,
        )


def catalogue_client(client: DuckDbSqlClient) -> "BoundedSqlClient":
    """A client for the PostgreSQL that holds a lake's catalogue; its dataset is named after both."""
    # Not at the top: psycopg2 is optional.
    from .postgres_locks import BoundedSqlClient

    lake: Any = client.credentials
    url = lake.catalog.to_url().render_as_string(hide_password=False)
    credentials = PostgresCredentials(url.replace("postgres://", "postgresql://", 1))
    name = f"{lake.metadata_schema or lake.ducklake_name}.{client.dataset_name}"
    return BoundedSqlClient(name, name, credentials, postgres().capabilities())
