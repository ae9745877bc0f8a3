"""Refuses to write into tables that this project did not make.

A table is ours if a schema of this project that dlt has stored beside it has the table, and if it has dlt's
column `_dlt_id`. Anything else of that name belongs to a user, in the dataset as in the dataset in which dlt
prepares merges, which is emptied by every load.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dlt
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.job_client_impl import SqlJobClientWithStagingDataset as SqlClient

from .dlt_schema import declared_schema
from .errors import ConfigurationError
from .records import SCHEMA_NAME

ROW_ID = "_dlt_id"
NAMED_AT_MOST = 3


@dataclass
class _Relation:
    kind: str = "table"
    columns: set[str] = field(default_factory=set)


# By name of the dataset, then by name; DuckDB's names are equal in capitals and small letters.
_Relations = dict[str, dict[str, _Relation]]


def check_ownership(pipeline: dlt.Pipeline | None, *, views: Collection[str] = ()) -> None:
    """Check that no table of the user's has the name of one that a sync writes; write nothing.

    Source: the destination's catalogue, one query (one a dataset where the destination is not tested here),
    and the stored schemas of dlt where there are tables.

    Args:
        views: names that must be free, too, as long as the dataset has never been synced into.

    Raises:
        ConfigurationError: there is one; the message names it.
    """
    if pipeline is None or pipeline.destination is None:
        return
    with pipeline.dataset(schema=declared_schema()).destination_client as client:
        foreign: list[str] = []
        if isinstance(client, SqlClient):
            foreign = list(_foreign_relations(client, views))
        elif isinstance(client, FilesystemClient):
            foreign = list(_foreign_folders(client))
    if foreign:
        listed = ", ".join(foreign[:NAMED_AT_MOST]) + (" and others" if len(foreign) > NAMED_AT_MOST else "")
        raise ConfigurationError(
            f"this program did not make {listed}, and a sync would write into it: rename it, or choose "
            "another dataset (--dataset, or the pipeline's dataset_name)."
        )


def _foreign_relations(client: SqlClient, views: Collection[str]) -> Iterator[str]:
    schema = declared_schema()
    tables = schema.data_table_names()
    relations = _relations(client, [*tables, *views, schema.version_table_name])
    main, staging = client.sql_client.dataset_name, client.sql_client.staging_dataset_name
    in_main = relations.get(main, {})
    unknown = _unknown(client, in_main, tables)
    if in_main.keys() & set(views) and not _is_known(client, in_main):
        unknown = [*unknown, *views]
    yield from (f"the {in_main[name].kind} {main}.{name}" for name in unknown if name in in_main)
    with client.with_staging_dataset():
        in_staging = relations.get(staging, {})
        unknown = _unknown(client, in_staging, tables)
    yield from (f"the {in_staging[name].kind} {staging}.{name}" for name in unknown if name in in_staging)


def _is_known(client: SqlClient, found: dict[str, _Relation]) -> bool:
    return client.schema.version_table_name in found and next(_stored_tables(client), None) is not None


def _unknown(client: SqlClient, found: dict[str, _Relation], tables: Iterable[str]) -> Collection[str]:
    """The names of relations that are not ours, in the dataset that the client is set to."""
    unknown = {name for name in tables if name in found}
    candidates = {name for name in unknown if found[name].kind == "table" and ROW_ID in found[name].columns}
    if not client.capabilities.supports_ddl_transactions:
        # A killed sync may have left tables without the schema that is stored after them.
        unknown -= {name for name in candidates if _has_our_columns(name, found[name])}
    if candidates and client.schema.version_table_name in found:
        for stored in _stored_tables(client):
            unknown -= candidates & stored
            if not unknown & candidates:
                break
    return sorted(unknown)


def _has_our_columns(name: str, relation: _Relation) -> bool:
    return declared_schema().tables[name]["columns"].keys() <= relation.columns


def _stored_tables(client: SqlClient) -> Iterator[set[str]]:
    """The names of the tables of each schema of ours that dlt has stored, the newest first."""
    newest = client.get_stored_schema(SCHEMA_NAME)
    if newest is None:
        return
    yield _tables_of(newest.schema)
    versions = client.sql_client.make_qualified_table_name(client.schema.version_table_name)
    query = f"SELECT DISTINCT version_hash FROM {versions} WHERE schema_name = '{SCHEMA_NAME}'"
    for (version_hash,) in client.sql_client.execute_sql(query) or ():
        if older := client.get_stored_schema_by_hash(version_hash):
            yield _tables_of(older.schema)


def _tables_of(schema: str) -> set[str]:
    return set(json.loads(schema)["tables"])


def _relations(client: SqlClient, names: list[str]) -> _Relations:
    sql = client.sql_client
    datasets = (sql.dataset_name, sql.staging_dataset_name)
    relations: _Relations = {}
    if query := _CATALOGUES.get(sql.capabilities.sqlglot_dialect or ""):
        # dlt normalises these names: they have no quotes.
        listed = {
            "datasets": ", ".join(f"'{dataset}'" for dataset in datasets),
            "names": ", ".join(f"'{name}'" for name in names),
        }
        rows = sql.execute_sql(query.format(**listed)) or ()
        spelled = {dataset.lower(): dataset for dataset in datasets}
        for dataset, name, kind, column in rows:
            dataset = dataset if dataset in datasets else spelled[dataset]
            relation = relations.setdefault(dataset, {}).setdefault(name, _Relation(kind))
            relation.columns.add(column)
        return relations
    relations[datasets[0]] = _information_schema(client, names)
    with client.with_staging_dataset():
        relations[datasets[1]] = _information_schema(client, names)
    return relations


def _information_schema(client: SqlClient, names: list[str]) -> dict[str, _Relation]:
    return {
        name: _Relation("table", {column.lower() for column in columns})
        for name, columns in client.get_storage_tables(names)
        if columns
    }


# dlt asks PostgreSQL's information schema, which knows no materialized views and no sequences, and compares
# DuckDB's names as if capitals mattered.
_CATALOGUES = {
    "postgres": """
        SELECT n.nspname, c.relname,
          CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'p' THEN 'partitioned table'
            ELSE 'relation' END,
          a.attname
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname IN ({datasets}) AND c.relname IN ({names})
    """,
    "duckdb": """
        SELECT lower(c.schema_name), lower(c.table_name),
          CASE WHEN v.view_oid IS NULL THEN 'table' ELSE 'view' END, c.column_name
        FROM duckdb_columns() AS c
        LEFT JOIN duckdb_views() AS v ON v.view_oid = c.table_oid AND v.database_oid = c.database_oid
        WHERE c.database_name = current_database()
          AND lower(c.schema_name) IN (SELECT lower(unnest([{datasets}])))
          AND lower(c.table_name) IN ({names})
    """,
}


def _foreign_folders(client: FilesystemClient) -> Iterator[str]:
    """The folders with the name of a table that hold files and are in no schema of ours."""
    schema = declared_schema()
    try:
        there = {
            path.rstrip("/").rpartition("/")[2] for path in client.fs_client.ls(client.dataset_path, False)
        }
    except FileNotFoundError:
        return
    ours: set[str] | None = None
    for name in schema.data_table_names():
        folder = client.get_table_dir(name)
        # What a killed sync left is empty: dlt stores the schema before there is a table.
        if name in there and client.fs_client.find(folder):
            if ours is None:
                ours = set().union(*_stored_in_folder(client))
            if name not in ours:
                yield f"the folder {folder.rstrip('/')}"


def _stored_in_folder(client: FilesystemClient) -> Iterator[set[str]]:
    folder = client.get_table_dir(client.schema.version_table_name)
    for path in client.fs_client.find(folder) if client.fs_client.isdir(folder) else ():
        if path.rpartition("/")[2].startswith(f"{SCHEMA_NAME}__"):
            stored: dict[str, Any] = json.loads(client.fs_client.read_text(path, encoding="utf-8"))
            yield _tables_of(stored["schema"])
