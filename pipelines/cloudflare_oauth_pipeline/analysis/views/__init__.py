"""The views: one file each in `views/`, written in DuckDB's dialect and translated by sqlglot.

A file's header says what a row is and what is in each column; its query may use, beside the tables, the
queries `all_findings` and `all_rules` (of all rules) and `waivers`, which are put in front of it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import dlt
import sqlglot
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient, WithTableScanners
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase
from sqlglot import exp

from cloudflare_oauth.dlt_schema import declared_schema

from ..rules import literal, load_rules
from ..waivers import Waiver, waivers_query

# In this order, because one may use those before it.
NAMES = ("oauth_client_findings", "oauth_rule_coverage", "oauth_client_overview", "account_health")

_HEADER = re.compile(r"-- (\w+): (.+(?:\n--   .+)*)\n")
# How a view's comment is read back, where that is known; elsewhere views are made anew by every sync.
_COMMENTS = {
    "duckdb": "SELECT view_name, comment FROM duckdb_views() "
    "WHERE schema_name = {schema} AND database_name = current_database()",
    "postgres": "SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class AS c "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname = {schema}",
}


@dataclass(frozen=True)
class View:
    """A view: what a row is, its columns' descriptions, and its query over the tables without a schema."""

    name: str
    row: str
    columns: dict[str, str]
    query: str

    def select(self, waivers: Sequence[Waiver] = ()) -> str:
        """The whole query, in DuckDB's dialect."""
        rules = load_rules()
        parts: dict[str, Callable[[], str]] = {
            "waivers": lambda: waivers_query(waivers),
            "all_findings": lambda: " UNION ALL ".join(rule.findings for rule in rules),
            "all_rules": lambda: " UNION ALL ".join(
                f"SELECT {literal(rule.id)} AS rule_id, {literal(rule.title)} AS title, "
                "(SELECT COUNT(*) FROM oauth_clients) AS clients, "
                f"(SELECT COUNT(*) FROM oauth_clients AS c WHERE {rule.is_evaluable}) AS evaluable"
                for rule in rules
            ),
        }
        used = {name: query() for name, query in parts.items() if re.search(rf"\b{name}\b", self.query)}
        ctes = ", ".join(f"{name} AS ({query})" for name, query in used.items())
        return f"WITH {ctes} {self.query}" if used else self.query


@cache
def load_views() -> dict[str, View]:
    """All views by name, each after those it uses."""
    return {name: _read_view(name) for name in NAMES}


def _read_view(name: str) -> View:
    text = (files(__package__) / f"{name}.sql").read_text("utf-8")
    header: dict[str, str] = {}
    position = 0
    while line := _HEADER.match(text, position):
        header[line[1]] = line[2].strip()
        position = line.end()
    return View(name, header.pop("row"), header, text[position:].strip())


def translated(query: str, client: SqlClientBase[Any]) -> str:
    """A query in DuckDB's dialect, for a destination: in its dialect, and of the dataset's tables."""
    tree = sqlglot.parse_one(query, read="duckdb")
    ours = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in ours:
            name = client.make_qualified_table_name(table.name)
            table.replace(sqlglot.to_table(name, dialect=_dialect(client), alias=table.alias or table.name))
    return tree.sql(dialect=_dialect(client))


def _dialect(client: SqlClientBase[Any]) -> str:
    return client.capabilities.sqlglot_dialect or "duckdb"


def update_views(pipeline: dlt.Pipeline, waivers: Sequence[Waiver]) -> Iterator[str]:
    """Create the views that are missing or not what they should be; yields what went wrong, in sentences."""
    with pipeline.dataset(schema=declared_schema()).destination_client as job_client:
        if not isinstance(job_client, SqlJobClientBase):
            return
        client = job_client.sql_client
        comments = _comments(client)
        for name, view in load_views().items():
            query = view.select(waivers)
            fingerprint = hashlib.blake2b(query.encode(), digest_size=6).hexdigest()
            comment = f"{view.row} [{fingerprint}]"
            if comments.get(name) == comment:
                continue
            try:
                _create(client, name, query if _is_at_home(client) else translated(query, client), comment)
            except (DatabaseException, sqlglot.ParseError, sqlglot.errors.UnsupportedError) as error:
                # Another sync of the same dataset may have made it in this moment.
                if _comments(client).get(name) != comment:
                    reason = " ".join(str(error).split())[:300]
                    yield f"the view {name} could not be created: {reason}"


def _is_at_home(client: SqlClientBase[Any]) -> bool:
    # DuckDB looks for a view's tables where the view is: the query is right as it is, and at once.
    return isinstance(client, DuckDbSqlClient) and not isinstance(client, WithTableScanners)


def _create(client: SqlClientBase[Any], name: str, query: str, comment: str) -> None:
    qualified = client.make_qualified_table_name(name)
    try:
        client.execute_sql(f"CREATE OR REPLACE VIEW {qualified} AS {query}")
    except DatabaseException:
        # Most destinations replace no view by one with other columns.
        client.execute_sql(f"DROP VIEW IF EXISTS {qualified}")
        client.execute_sql(f"CREATE VIEW {qualified} AS {query}")
    if _dialect(client) in _COMMENTS:
        client.execute_sql(f"COMMENT ON VIEW {qualified} IS {literal(comment)}")


def _comments(client: SqlClientBase[Any]) -> dict[str, str]:
    query = _COMMENTS.get(_dialect(client))
    if query is None:
        return {}
    rows = client.execute_sql(query.format(schema=literal(client.dataset_name))) or ()
    return {row[0]: row[1] for row in rows}
