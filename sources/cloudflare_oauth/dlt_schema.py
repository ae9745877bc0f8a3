"""The tables as they are declared to dlt, and their creation in a dataset."""

from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import dlt
from dlt.common.destination.exceptions import DestinationTerminalException, DestinationTransientException
from dlt.common.normalizers.json.relational import DataItemNormalizer
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.common.schema.utils import new_table

from .records import ARRAYS, ELEMENT_COLUMNS, SCHEMA_NAME, TABLES, Column, column

_CLIENT_KEYS = ("account_id", "client_id")


# An attempt may lose against another process twice: once for the dataset, once for the tables.
ATTEMPTS_TO_CREATE = 5


@cache
def declared_schema() -> Schema:
    """A dlt schema with all tables; do not modify it."""
    schema = Schema(SCHEMA_NAME)
    declare_tables(schema)
    # Through a dict and back, because dlt refuses a schema that was modified since it was last serialised.
    return Schema.from_dict(cast(dict[str, Any], schema.to_dict()))


def declare_tables(schema: Schema) -> None:
    """Declare every table to a schema, so that all of them exist even while they are empty."""
    # An undeclared field keeps its JSON type: a text that looks like a time stays a text.
    schema.remove_type_detection("iso_timestamp")
    propagated = {
        "oauth_clients": {name: name for name in _CLIENT_KEYS},
        "oauth_scopes": {"id": "id"},
    }
    DataItemNormalizer.update_normalizer_config(
        schema,
        {"propagation": {"tables": propagated}},  # type: ignore[typeddict-item]  # dlt's NewTypes of names
    )
    for name, (description, columns) in TABLES.items():
        table = new_table(name, write_disposition="merge", resource=name)
        _declare(schema, table, [*columns, *_row_columns()], description)
    for array, description in ARRAYS.items():
        keys = [column(key, "text", f"`{key}` of the client.", nullable=False) for key in _CLIENT_KEYS]
        _declare_array(schema, "oauth_clients", array, keys, description)
    scope_key = column("id", "text", "`id` of the scope.", nullable=False)
    _declare_array(schema, "oauth_scopes", "scopes", [scope_key], "Resource scope that the scope stands for.")


def create_tables(pipeline: dlt.Pipeline | None) -> None:
    """Create the tables that the pipeline's dataset lacks; dlt itself creates only tables that get data."""
    if pipeline is None or pipeline.destination is None:
        return
    for attempt in range(1, ATTEMPTS_TO_CREATE + 1):
        try:
            with pipeline.dataset(schema=declared_schema()).destination_client as client:
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
    table["columns"] = {column.name: _declared(column) for column in columns}
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


def _declared(column: Column) -> TColumnSchema:
    return cast(
        TColumnSchema,
        {
            "name": column.name,
            "data_type": column.data_type,
            "description": column.description,
            **column.hints,
        },
    )
