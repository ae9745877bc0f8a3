"""dlt's DuckDB client with values written into the statements instead of bound to them.

To bind a value, whatever its type, DuckDB 1.5 imports pandas: a fifth of the CPU time of a sync of nothing
new, and 60 MB.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.dataset import DBApiCursor
from dlt.common.schema import Schema
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import raise_open_connection_error

from .target import check_content

PLACEHOLDER = "%s"


class LiteralValues(DuckDbSqlClient):
    """dlt's client for DuckDB and its relatives; no value is bound."""

    @raise_open_connection_error
    def open_connection(self) -> duckdb.DuckDBPyConnection:
        """As in dlt, with the same settings."""
        # Only credentials that are not resolved yet have no pool.
        self._conn = self.credentials.conn_pool.borrow_conn(pragmas=self._pragmas)  # type: ignore[union-attr]
        for name, value in self._global_config.items():
            self._conn.execute(f"SET GLOBAL {name} = {self._literal(value)}")
        # There may be no such schema yet.
        with suppress(duckdb.CatalogException):
            self._conn.execute(
                f"SET SESSION search_path = {self._literal(self.fully_qualified_dataset_name())}"
            )
        return self._conn

    @contextmanager
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[DBApiCursor]:
        first, *rest = query.split(PLACEHOLDER)
        if len(rest) == len(args):
            query = first + "".join(
                self._literal(value) + part for value, part in zip(args, rest, strict=True)
            )
            args = ()
        with super().execute_query(query, *args, **kwargs) as cursor:
            yield cursor

    def _literal(self, value: Any) -> str:
        return str(self.capabilities.escape_literal(value))


class LiteralSqlClient(LiteralValues):
    """A client of a DuckDB file; never of a file that DuckDB would need an extension for."""

    @raise_open_connection_error
    def open_connection(self) -> duckdb.DuckDBPyConnection:
        """As in `LiteralValues`."""
        database = str(self.credentials.database)
        if not database.startswith((":", "md:", "motherduck:")):
            check_content(Path(database))
        return super().open_connection()


class LiteralClient(DuckDbClient):
    """dlt's client for DuckDB, with `LiteralSqlClient`."""

    def __init__(
        self,
        schema: Schema,
        config: DuckDbClientConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(schema, config, capabilities)
        client = self.sql_client
        self.sql_client = LiteralSqlClient(
            client.dataset_name, client.staging_dataset_name, config.credentials, capabilities
        )


class LiteralDuckDB(dlt_duckdb):
    """dlt's `duckdb`, with `LiteralClient`."""

    @property
    def client_class(self) -> type[LiteralClient]:
        return LiteralClient

    @property
    def destination_name(self) -> str:
        return self.config_params.get("destination_name") or "duckdb"

    @property
    def destination_type(self) -> str:
        return "dlt.destinations.duckdb"
