"""The one door to a dataset: queries in DuckDB's dialect, on whatever destination it lies."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlglot
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.sql_client import SqlClientBase
from sqlglot import exp

from cloudflare_oauth import DestinationError, StoredTables, declared_schema, read_stored_tables

from .adapter import Adapter
from .explanations import explained
from .pipeline import open_for_reading
from .target import Target

Columns = Mapping[str, Mapping[str, str]]
"""SQL types of columns, by table and column."""

_TYPES = {
    "text": "VARCHAR",
    "json": "JSON",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}


class NoDatasetError(DestinationError):
    """The dataset, or a table that a query needs, does not exist; `missing` names the tables."""

    def __init__(self, target: Target, missing: set[str]) -> None:
        super().__init__(f"{target} has no dataset yet: run `cloudflare-oauth sync`")
        self.missing = missing


@dataclass(frozen=True)
class Result:
    """The columns and the rows of a query."""

    columns: list[str]
    rows: list[Sequence[Any]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Dataset:
    """A dataset that is open for reading."""

    def __init__(
        self, target: Target, adapter: Adapter, client: SqlClientBase[Any], columns_to_come: Columns
    ) -> None:
        self.target = target
        self._adapter = adapter
        self._client = client
        self._columns_to_come = columns_to_come

    def query(self, query: str) -> Result:
        """The result of a query in DuckDB's dialect, over the tables without a schema.

        Raises:
            NoDatasetError: a table does not exist.
            DestinationError: the destination refused anything else.
        """
        with explained(self.target, self._adapter.explain):
            try:
                return self._query(query)
            except DestinationUndefinedEntity:
                raise NoDatasetError(self.target, self._missing(query)) from None

    def _query(self, query: str) -> Result:
        sql = translated(query, self._client, self._columns_to_come)
        with self._client.execute_query(sql) as cursor:
            columns = [column[0] for column in cursor.description]
            return Result(columns, list(cursor.fetchall()))

    def _missing(self, query: str) -> set[str]:
        return {name for name in tables_of(query) if not self._has(name)}

    def _has(self, table: str) -> bool:
        try:
            self._query(f"SELECT 1 AS one FROM {table} WHERE FALSE")
        except DestinationUndefinedEntity:
            return False
        return True


@contextmanager
def open_dataset(target: Target) -> Iterator[Dataset]:
    """Open a dataset for reading, for as long as the context lasts.

    Raises:
        ConfigurationError, BusyError, DestinationError: it cannot be opened or read.
    """
    with (
        open_for_reading(target) as (pipeline, adapter),
        pipeline.dataset(schema=declared_schema()).sql_client as client,
    ):
        with explained(target, adapter.explain):
            stored = {} if adapter.shows_declared_columns else read_stored_tables(pipeline)
        yield Dataset(target, adapter, client, _columns_to_come(stored))


def _columns_to_come(stored: StoredTables) -> Columns:
    """The declared columns that the next sync is going to add to tables of an earlier release."""
    return {
        name: {
            column: _TYPES[hints["data_type"] or "text"]
            for column, hints in table["columns"].items()
            if column not in stored[name]["columns"]
        }
        for name, table in declared_schema().tables.items()
        if name in stored
    }


def with_subqueries(query: str, subqueries: Mapping[str, str]) -> str:
    """A query with others in front of it, by name, each of which may use those before it."""
    if not subqueries:
        return query
    ctes = ", ".join(f"{name} AS ({select})" for name, select in subqueries.items())
    query = query.lstrip()
    if query[:5].upper() == "WITH ":
        return f"WITH {ctes}, {query[5:]}"
    return f"WITH {ctes} {query}"


def tables_of(query: str) -> set[str]:
    """The names of the tables and views that a query reads."""
    tree = sqlglot.parse_one(query, read="duckdb")
    return {table.name for table in tree.find_all(exp.Table)} - {cte.alias for cte in tree.find_all(exp.CTE)}


def translated(query: str, client: SqlClientBase[Any], columns_to_come: Columns | None = None) -> str:
    """A query in DuckDB's dialect in the dialect of a destination, with the dataset's qualified tables.

    Args:
        columns_to_come: columns that tables lack, which are null in the query.
    """
    tree = sqlglot.parse_one(query, read="duckdb")
    ours = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name in ours:
            continue
        alias = table.alias or table.name
        qualified = sqlglot.to_table(client.make_qualified_table_name(table.name), dialect=dialect_of(client))
        if to_come := (columns_to_come or {}).get(table.name):
            nulls = [exp.alias_(exp.cast(exp.null(), type_), name) for name, type_ in to_come.items()]
            table.replace(exp.select("*", *nulls).from_(qualified).subquery(alias))
        else:
            table.replace(exp.alias_(qualified, alias, table=True))
    return tree.sql(dialect=dialect_of(client))


def dialect_of(client: SqlClientBase[Any]) -> str:
    """sqlglot's name for the dialect of a destination."""
    return client.capabilities.sqlglot_dialect or "duckdb"
