"""SQL views: one file per view, written in DuckDB's dialect and translated by sqlglot.

The header of a file describes a row and each column. The query reads the tables and may also use three common
table expressions, which are prepended when needed: `all_findings` and `all_rules`, made from all the rules,
and `waivers`.
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
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import declared_schema, masked

from ...destinations.adapter import Adapter
from ...destinations.dataset import tables_of, translated, with_subqueries
from ..rules import literal, load_rules
from ..waivers import Waiver, waivers_query

# In order of creation, because a view may use those before it.
NAMES = ("oauth_client_findings", "oauth_rule_coverage", "oauth_client_overview", "account_health")

_HEADER = re.compile(r"-- (\w+): (.+(?:\n--   .+)*)\n")


@dataclass(frozen=True)
class View:
    """A view: what a row is, its column descriptions, and a query over table names without a schema."""

    name: str
    row: str
    columns: dict[str, str]
    query: str

    def select(self, waivers: Sequence[Waiver] = ()) -> str:
        """Return the complete query with its common table expressions, in DuckDB's dialect."""
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
    """Load all views by name, each after the views that it uses."""
    return {name: _read_view(name) for name in NAMES}


def _read_view(name: str) -> View:
    text = (files(__package__) / f"{name}.sql").read_text("utf-8")
    header: dict[str, str] = {}
    position = 0
    while line := _HEADER.match(text, position):
        header[line[1]] = line[2].strip()
        position = line.end()
    return View(name, header.pop("row"), header, text[position:].strip())


def with_views(query: str, waivers: Sequence[Waiver] = ()) -> str:
    """Prepend the queries of the views that a query uses.

    The stored views may have older waivers, and not every destination has views.
    """
    views = load_views()
    used = tables_of(query)
    needed: dict[str, str] = {}
    for name in reversed(views):
        if name in used:
            needed[name] = views[name].select(waivers)
            used |= tables_of(views[name].query)
    return with_subqueries(query, {name: needed[name] for name in reversed(needed)})


def renew_views(pipeline: dlt.Pipeline, adapter: Adapter, waivers: Sequence[Waiver]) -> Iterator[str]:
    """Create the views that are missing or outdated; yield a message for each view that fails.

    A destination without SQL has no views.
    """
    with pipeline.dataset(schema=declared_schema()).destination_client as job_client:
        if not isinstance(job_client, SqlJobClientBase):
            return
        client = job_client.sql_client
        comments = _comments(client, adapter)
        for name, view in load_views().items():
            query = view.select(waivers)
            fingerprint = hashlib.blake2b(query.encode(), digest_size=6).hexdigest()
            comment = f"{view.row} [{fingerprint}]"
            if comments.get(name) == comment:
                continue
            try:
                select = query if adapter.is_native_to_views(client) else translated(query, client)
                _create(client, name, select)
                if adapter.view_comments:
                    _comment(client, name, comment)
            except (DatabaseException, sqlglot.ParseError, sqlglot.errors.UnsupportedError) as error:
                # A concurrent sync of the same dataset may have created the view in the meantime.
                if _comments(client, adapter).get(name) != comment:
                    reason = " ".join(masked(str(error)).split())[:300]
                    yield f"the view {name} could not be created: {reason}"


def _create(client: SqlClientBase[Any], name: str, query: str) -> None:
    qualified = client.make_qualified_table_name(name)
    try:
        client.execute_sql(f"CREATE OR REPLACE VIEW {qualified} AS {query}")
    except DatabaseException:
        # Most destinations cannot replace a view with one that has different columns.
        client.execute_sql(f"DROP VIEW IF EXISTS {qualified}")
        client.execute_sql(f"CREATE VIEW {qualified} AS {query}")


def _comment(client: SqlClientBase[Any], name: str, comment: str) -> None:
    client.execute_sql(f"COMMENT ON VIEW {client.make_qualified_table_name(name)} IS {literal(comment)}")


def _comments(client: SqlClientBase[Any], adapter: Adapter) -> dict[str, str]:
    if adapter.view_comments is None:
        return {}
    rows = client.execute_sql(adapter.view_comments.format(schema=literal(client.dataset_name))) or ()
    return {row[0]: row[1] for row in rows}
