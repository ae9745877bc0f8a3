"""dlt's client for DuckLake, with one DuckDB a process, whose extensions come from wheels."""

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
from dlt.common.configuration import configspec
from dlt.common.configuration.exceptions import FieldLookupTraces, LookupTraces
from dlt.common.configuration.specs import AwsCredentials, AwsCredentialsWithoutDefaults
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.common.storages.configuration import FileSystemCredentials
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.ducklake.configuration import DuckLakeClientConfiguration, DuckLakeCredentials
from dlt.destinations.impl.ducklake.ducklake import DuckLakeClient
from dlt.destinations.impl.ducklake.sql_client import DuckLakeSqlClient
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import ConfigurationError

from .duckdb_literals import LiteralValues
from .ducklake import SETTINGS, extension_file

if TYPE_CHECKING:
    from .postgres_locks import BoundedSqlClient

_SCANNERS = {"postgres": "postgres_scanner", "postgresql": "postgres_scanner", "sqlite": "sqlite_scanner"}
# Any S3 takes it if it asks for none; AWS needs the bucket's own.
_ANY_REGION = "us-east-1"


@configspec(init=False)
class LakeCredentials(DuckLakeCredentials):
    """dlt's credentials of a lake; all connections of a process to it share one DuckDB."""

    def _conn_str(self) -> str:
        # Where another lake has the same name in this process, it is in another DuckDB.
        lake = f"{self.catalog_location()} {self.storage_url}"
        return f":memory:lake_{hashlib.blake2b(lake.encode(), digest_size=8).hexdigest()}"

    def on_partial(self) -> None:
        """As in dlt.

        Raises:
            ConfigurationError: there are no credentials of the bucket.
        """
        super().on_partial()
        if self.is_partial() and "AwsCredentials" in _missing_in(getattr(self.__exception__, "traces", {})):
            raise ConfigurationError(
                "the destination ducklake has no credentials of the bucket with its files: set "
                f"{SETTINGS}STORAGE__CREDENTIALS__AWS_ACCESS_KEY_ID and …__AWS_SECRET_ACCESS_KEY, or give "
                "this machine a profile or role of AWS."
            )

    def on_resolved(self) -> None:
        """As in dlt.

        Raises:
            ConfigurationError: the catalogue is of a kind that cannot be shared, the files are in a storage
                that is not supported here, or an extension is missing.
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
        if not self.storage.is_local_filesystem:
            self._check_bucket()
            wanted.append("httpfs")
        files = {name: extension_file(name, duckdb.__version__) for name in wanted}
        if missing := [name for name, file in files.items() if file is None]:
            raise ConfigurationError(
                f"the destination ducklake needs extensions of DuckDB {duckdb.__version__} "
                f"({', '.join(missing)}), and nothing is downloaded while a sync runs: pip install "
                "'cloudflare-oauth-clients[ducklake]', which also installs the DuckDB that fits."
            )
        self.extensions = ["'{}'".format(str(file).replace("'", "''")) for file in files.values()]

    def _check_bucket(self) -> None:
        credentials = self.storage.credentials
        if self.storage.protocol != "s3" or not isinstance(credentials, AwsCredentials):
            raise ConfigurationError(
                f"the destination ducklake: its files are in {self.storage.protocol}://, which is not "
                f"supported here: set {SETTINGS}STORAGE__BUCKET_URL to a folder or s3://… (R2, Google's "
                "and other storages that speak S3 also need …STORAGE__CREDENTIALS__ENDPOINT_URL)."
            )
        if not (credentials.region_name or credentials.endpoint_url):
            raise ConfigurationError(
                "the destination ducklake does not know the region of the bucket with its files: set "
                f"{SETTINGS}STORAGE__CREDENTIALS__REGION_NAME, or …__ENDPOINT_URL if it is not at AWS."
            )


def _missing_in(traces: FieldLookupTraces) -> Iterator[str]:
    """The names of dlt's specs in which a value is missing, however deep."""
    for trace in itertools.chain.from_iterable(traces.values()):
        if isinstance(trace, LookupTraces):
            yield trace.spec_name
            yield from _missing_in(trace.traces)


@configspec
class LakeConfiguration(DuckLakeClientConfiguration):
    """dlt's configuration of a lake, with `LakeCredentials`."""

    credentials: LakeCredentials = None  # type: ignore[assignment]


class LakeSqlClient(DuckLakeSqlClient, LiteralValues):
    """dlt's client for DuckLake; no value is bound, and the lake stays attached for other connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._global_config |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}

    def create_secret(self, scope: str, credentials: FileSystemCredentials, *args: Any, **kwargs: Any) -> Any:
        """As in dlt, whatever characters a key has, and without DuckDB's extension for AWS.

        That would look up the keys of the machine; here dlt does, for every connection again.
        """
        written: Any = _written_out(credentials) if isinstance(credentials, AwsCredentials) else credentials
        return super().create_secret(scope, written, *args, **kwargs)

    def close_connection(self) -> None:
        if self._conn:
            # What was not committed is not wanted.
            with suppress(duckdb.Error):
                self._conn.execute("ROLLBACK")
        super(DuckLakeSqlClient, self).close_connection()


def _written_out(credentials: AwsCredentials) -> AwsCredentialsWithoutDefaults:
    """The credentials as they hold now; dlt writes them between quotes, into a statement, as they are."""
    values = credentials.to_session_credentials() | {
        "region_name": credentials.region_name or _ANY_REGION,
        "endpoint_url": credentials.endpoint_url,
        "s3_url_style": credentials.s3_url_style,
    }
    quoted = {name: value and value.replace("'", "''") for name, value in values.items()}
    return AwsCredentialsWithoutDefaults(**quoted)  # type: ignore[arg-type]


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
