"""The views of DuckDB, which keeps a view's text and looks for what it reads when it is queried."""

import re
from collections.abc import Collection

import sqlglot
from sqlglot import exp

from .stored_views import Client, Relation, Statement, StoredViews, literal, literals


class DuckDBViews(StoredViews):
    """As in `StoredViews`. Names of one spelling in capitals and small letters are one name."""

    replaces_any_columns = True

    def relations(self, client: Client, names: Collection[str]) -> dict[str, Relation]:
        """As in `StoredViews`."""
        here = f"lower(schema_name) = lower({literal(client.dataset_name)}) "
        here += "AND database_name = current_database()"
        rows = client.execute_sql(
            f"SELECT lower(view_name), 'view', comment FROM duckdb_views() "
            f"WHERE {here} AND lower(view_name) IN ({literals(names)}) UNION ALL "
            f"SELECT lower(table_name), 'table', comment FROM duckdb_tables() "
            f"WHERE {here} AND lower(table_name) IN ({literals(names)})"
        )
        return {name: Relation(kind, comment) for name, kind, comment in rows or ()}

    def dependents(self, client: Client, name: str) -> list[tuple[str | None, str]]:
        """As in `StoredViews`, in this database: DuckDB records none, so the texts of all views are read."""
        rows = client.execute_sql(
            "SELECT schema_name, view_name, sql FROM duckdb_views() "
            "WHERE NOT internal AND database_name = current_database()"
        )
        texts = {(schema.lower(), view.lower()): sql for schema, view, sql in rows or ()}
        schema = client.dataset_name.lower()
        found, new = set[tuple[str, str]](), {(schema, name)}
        while new:
            read = new
            new = {view for view, sql in texts.items() if view not in found and _reads(sql, view, read)}
            found |= new
        found.discard((schema, name))
        return [
            (view if owner == schema else None, f"the view {owner}.{view}") for owner, view in sorted(found)
        ]

    def lost(self, client: Client, name: str, *, dropped: bool) -> list[Statement]:
        """As in `StoredViews`: comments on columns."""
        rows = client.execute_sql(
            f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = {literal(name)} "
            f"AND schema_name = {literal(client.dataset_name)} AND database_name = current_database() "
            "AND comment IS NOT NULL"
        )
        qualified = client.make_qualified_table_name(name)
        return [
            Statement(
                column,
                f"COMMENT ON COLUMN {qualified}.{client.escape_column_name(column)} IS {literal(comment)}",
            )
            for column, comment in rows or ()
        ]


def _reads(sql: str, view: tuple[str, str], read: Collection[tuple[str, str]]) -> bool:
    """Whether the text of a view reads one of these; sure only if it says of which schema."""
    if not any(re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE) for _, name in read):
        return False
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.ParseError:
        return True
    tables = {(table.db.lower(), table.name.lower()) for table in tree.find_all(exp.Table)}
    return any(
        (schema, name) != view and ((schema, name) in tables or ("", name) in tables) for schema, name in read
    )
