"""What a destination can do, by dlt's own word, and what becomes of what it cannot.

| it lacks | what is done |
|---|---|
| a merge that removes rows with those of their arrays | files get Delta tables, others are refused |
| loading without a bucket between, reading back | refused |
| one transaction over a client and its arrays | said; the next sync mends what a killed one left |
| views | said; there are the tables alone |
| the character NUL in a text | U+FFFD is stored instead |
"""

import importlib.util
from collections.abc import Iterator
from typing import Any

import dlt
from dlt.common.destination import Destination
from dlt.destinations.impl.filesystem.factory import filesystem
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import WithSqlClient

from cloudflare_oauth.dlt_schema import declared_schema

from ..errors import UsageError
from .delta_lake import DeltaLake, DeltaLakeClient

AnyDestination = Destination[Any, Any]

# Measured. Of the others some refuse it (PostgreSQL's jsonb) and some drop it (dlt, for its varchar).
_KEEP_NUL = ("dlt.destinations.duckdb", "dlt.destinations.motherduck")


def capable(destination: AnyDestination) -> AnyDestination:
    """The destination as it is to be used: files as Delta tables.

    Raises:
        UsageError: it cannot keep the tables exact; the message says what it lacks.
    """
    name = destination.destination_name
    capabilities = destination.capabilities()
    if isinstance(destination, filesystem):
        if "delta" not in (capabilities.supported_table_formats or ()):
            raise UsageError(f"the destination {name}: dlt has no Delta tables on Hugging Face.")
        if importlib.util.find_spec("deltalake") is None:
            raise UsageError(
                f"the destination {name} needs Delta tables, because from plain files dlt removes no row: "
                "pip install 'dlt[deltalake]'"
            )
        return DeltaLake(**destination.config_params)
    if "delete-insert" not in (capabilities.supported_merge_strategies or ()):
        raise UsageError(
            f"the destination {name} cannot replace and remove rows together with those of their arrays "
            "(dlt's merge strategy delete-insert), so its tables would not stay exact: choose another, "
            "for example duckdb or postgres."
        )
    if not capabilities.preferred_loader_file_format:
        raise UsageError(
            f"the destination {name} is loaded by way of a bucket (dlt's staging), which is not supported "
            "here: choose another, for example duckdb or postgres."
        )
    if not issubclass(destination.client_class, WithSqlClient):
        raise UsageError(f"the destination {name} cannot be read back, so nothing could be compared with it.")
    return destination


def limits(pipeline: dlt.Pipeline) -> Iterator[str]:
    """What the user of a pipeline's destination has to know that it cannot do, in sentences."""
    destination = pipeline.destination
    if destination is None:
        return
    name = destination.destination_name
    if not destination.capabilities().supports_ddl_transactions:
        yield (
            f"{name} has no transaction over several tables: while a sync loads, a client may be there "
            "without its arrays; what a killed sync leaves half done, the next one writes anew"
        )
    with pipeline.dataset(schema=declared_schema()).destination_client as client:
        if not isinstance(client, SqlJobClientBase):
            yield f"{name} has no views: there are the tables alone"
        if isinstance(client, DeltaLakeClient) and not client.is_local_filesystem:
            yield f"{name} keeps no two syncs apart: run one at a time into this dataset"


def keeps_nul(destination: AnyDestination) -> bool:
    """Whether a text may have the character NUL."""
    return isinstance(destination, DeltaLake) or destination.destination_type in _KEEP_NUL
