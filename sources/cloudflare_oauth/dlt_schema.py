"""The tables as they are declared to dlt, merged with what the dataset has learned, and their creation.

One schema is the authority: all versions that the dataset holds, in the order in which they were stored, and
on top of them what is declared here. What another release, another shard or another pipeline has learned is
never forgotten, and a column keeps the type with which it was created: values of another type go to dlt's
variant of the column.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, cast

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationTransientException,
    DestinationUndefinedEntity,
)
from dlt.common.normalizers.json.relational_no_coercion import DataItemNormalizer
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.common.schema.utils import new_table
from dlt.destinations.job_client_impl import SqlJobClientBase

from .errors import DestinationError
from .records import ARRAYS, ELEMENT_COLUMNS, SCHEMA_NAME, TABLES, Column, column

_CLIENT_KEYS = ("account_id", "client_id")

# Raised whenever an older release could not write to a dataset rightly; kept with the table of clients.
DATASET_FORMAT = 2
_FORMAT_HINT = "x-dataset-format"

# An attempt may lose against another process twice: once for the dataset, once for the tables.
ATTEMPTS_TO_CREATE = 5

StoredTables = Mapping[str, TTableSchema]
"""The tables of a dataset by name, as dlt has stored them; empty if there is none yet."""


def empty_schema() -> Schema:
    """A dlt schema without tables, which never converts a value to the type of its column."""
    return Schema(SCHEMA_NAME, normalizers={"json": {"module": DataItemNormalizer.__module__}})


@cache
def declared_schema() -> Schema:
    """A dlt schema with the declared tables; do not modify it."""
    return merged_schema({})


def merged_schema(stored: StoredTables) -> Schema:
    """A dlt schema with the declared tables, and everything that a dataset has learned."""
    schema = empty_schema()
    declare_tables(schema, stored)
    # Through a dict and back, because dlt refuses a schema that was modified since it was last serialised.
    return Schema.from_dict(cast(dict[str, Any], schema.to_dict()))


def declare_tables(schema: Schema, stored: StoredTables | None = None) -> None:
    """Declare every table to a schema, so that all of them exist even while they are empty.

    Args:
        stored: what the dataset has learned, to be kept beside it.
    """
    # A text that looks like a time stays a text.
    schema.remove_type_detection("iso_timestamp")
    propagated = {
        "oauth_clients": {name: name for name in _CLIENT_KEYS},
        "oauth_scopes": {"id": "id"},
    }
    DataItemNormalizer.update_normalizer_config(
        schema,
        {"propagation": {"tables": propagated}},  # type: ignore[typeddict-item]  # dlt's NewTypes of names
    )
    # Parents first: the name of a nested table begins with its parent's.
    for _, learned in sorted((stored or {}).items()):
        schema.update_table(deepcopy(learned), normalize_identifiers=False)
    for name, (description, columns) in TABLES.items():
        table = new_table(name, write_disposition="merge", resource=name)
        if name == "oauth_clients":
            # dlt keeps hints of one's own.
            cast(dict[str, Any], table)[_FORMAT_HINT] = DATASET_FORMAT
        _declare(schema, table, [*columns, *_row_columns()], description)
    for array, description in ARRAYS.items():
        keys = [column(key, "text", f"`{key}` of the client.", nullable=False) for key in _CLIENT_KEYS]
        _declare_array(schema, "oauth_clients", array, keys, description)
    scope_key = column("id", "text", "`id` of the scope.", nullable=False)
    _declare_array(schema, "oauth_scopes", "scopes", [scope_key], "Resource scope that the scope stands for.")


def read_stored_tables(pipeline: dlt.Pipeline | None) -> StoredTables:
    """What the pipeline's dataset has learned of the schema.

    Source: `_dlt_version`.

    Raises:
        DestinationError: a newer release has written to the dataset, which this one would damage.
    """
    if pipeline is None or pipeline.destination is None:
        return {}
    tables: dict[str, TTableSchema] = {}
    for version in _stored_versions(pipeline):
        for name, table in version["tables"].items():
            if name in ("_dlt_version", "_dlt_loads"):
                continue
            known = tables.setdefault(name, table)
            # The first version with a column is the one that created it.
            known["columns"] = table["columns"] | known["columns"]
            its_format = _format(table)
            if its_format > _format(known):
                cast(dict[str, Any], known)[_FORMAT_HINT] = its_format
            if its_format > DATASET_FORMAT:
                raise DestinationError(
                    "a newer release of cloudflare-oauth-clients has written to the dataset "
                    f"{pipeline.dataset_name} (format {its_format}; this release knows {DATASET_FORMAT}): "
                    "nothing was changed: upgrade, or choose another dataset"
                )
    return tables


def _format(table: TTableSchema) -> int:
    return int(cast(dict[str, Any], table).get(_FORMAT_HINT, 1))


def _stored_versions(pipeline: dlt.Pipeline) -> list[dict[str, Any]]:
    """All versions of the schema in the dataset, the oldest first."""
    with pipeline.dataset(schema=empty_schema()).destination_client as client:
        if isinstance(client, SqlJobClientBase):
            table = client.sql_client.make_qualified_table_name(client.schema.version_table_name)
            try:
                rows = client.sql_client.execute_sql(
                    f"SELECT schema FROM {table} WHERE schema_name = '{SCHEMA_NAME}' "
                    "ORDER BY version, inserted_at"
                )
            except DestinationUndefinedEntity:
                return []
            return [_parsed(row[0]) for row in rows or ()]
        if isinstance(client, WithStateSync):
            newest = client.get_stored_schema(SCHEMA_NAME)
            return [_parsed(newest.schema)] if newest else []
    return []


def _parsed(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        # dlt compresses it for some destinations.
        text = zlib.decompress(base64.b64decode(text)).decode()
    stored: dict[str, Any] = json.loads(text)
    if stored["engine_version"] != Schema.ENGINE_VERSION:
        return cast(dict[str, Any], Schema.from_stored_schema(cast(Any, stored)).to_dict())
    return stored


def _has_all_columns(stored: StoredTables) -> bool:
    """Whether a dataset has every declared table with every declared column, of this format."""
    return all(
        name in stored and table["columns"].keys() <= stored[name]["columns"].keys()
        for name, table in declared_schema().tables.items()
        if not name.startswith("_dlt")
    ) and any(_format(table) == DATASET_FORMAT for table in stored.values())


def create_tables(pipeline: dlt.Pipeline | None) -> None:
    """Create the tables that the pipeline's dataset lacks; dlt itself creates only tables that get data."""
    if pipeline is None or pipeline.destination is None:
        return
    for attempt in range(1, ATTEMPTS_TO_CREATE + 1):
        try:
            stored = read_stored_tables(pipeline)
            if _has_all_columns(stored):
                return
            schema = merged_schema(stored)
            with pipeline.dataset(schema=schema).destination_client as client:
                client.initialize_storage()
                client.update_stored_schema()
        except (DestinationTerminalException, DestinationTransientException, FileExistsError):
            # Another process was creating them at the same time; the next attempt sees what it made.
            if attempt == ATTEMPTS_TO_CREATE:
                raise
        else:
            return


def _declare_array(schema: Schema, parent: str, array: str, keys: Iterable[Column], description: str) -> None:
    table = new_table(f"{parent}__{array}", parent_table_name=parent)
    facts = ELEMENT_COLUMNS.get(array, ()) if parent == "oauth_clients" else ()
    columns = [*keys, column("value", "text", description), *facts, *_nested_columns()]
    _declare(schema, table, columns, f"Each row is an element of `{array}` of a row of `{parent}`.")


def _declare(schema: Schema, table: TTableSchema, columns: Iterable[Column], description: str) -> None:
    table["description"] = description
    existing = schema.tables[name]["columns"] if (name := table["name"]) in schema.tables else {}
    table["columns"] = {column.name: _declared(column, existing.get(column.name)) for column in columns}
    # dlt sets this once a table has had data, and creates only such tables.
    table["x-normalizer"] = {"seen-data": True}
    schema.update_table(table)


def _row_columns() -> list[Column]:
    return [
        column("_dlt_id", "text", "dlt's id of the row.", nullable=False, unique=True, row_key=True),
        column("_dlt_load_id", "text", "dlt's id of the load that wrote the row.", nullable=False),
    ]


def _nested_columns() -> list[Column]:
    return [
        column("_dlt_id", "text", "dlt's id of the row.", nullable=False, unique=True, row_key=True),
        column("_dlt_root_id", "text", "`_dlt_id` of the root row.", nullable=False, root_key=True),
        column("_dlt_parent_id", "text", "`_dlt_id` of the parent row.", nullable=False, parent_key=True),
        column("_dlt_list_idx", "bigint", "Position in the array, from 0.", nullable=False),
    ]


def _declared(column: Column, existing: TColumnSchema | None) -> TColumnSchema:
    """A declared column; one that exists already, as an undeclared field, keeps its type."""
    return cast(
        TColumnSchema,
        {
            "name": column.name,
            "data_type": (existing or {}).get("data_type", column.data_type),
            "description": column.description,
            **column.hints,
        },
    )
