"""From a target to the adapter of its destination."""

from dlt.common.destination import Destination
from dlt.destinations.impl.ducklake.factory import ducklake
from dlt.destinations.impl.filesystem.factory import filesystem
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import ConfigurationError

from .adapter import Adapter
from .target import Target

_DUCKDB_TYPES = ("dlt.destinations.duckdb", "dlt.destinations.motherduck")


def adapter_for(target: Target) -> Adapter:
    """The adapter of a target's destination.

    Raises:
        ConfigurationError: the destination has no name.
        DltException: dlt does not know the destination, or it is not configured.
    """
    # Each adapter is imported where it is needed: the libraries of another destination take long to import.
    if target.destination == "duckdb":
        from .duckdb import DuckDBFile

        return DuckDBFile(target)
    # A destination without this setting ignores it.
    layout = target.staging_dataset_layout
    destination = Destination.from_reference(target.destination, staging_dataset_name_layout=layout)
    if destination is None:
        raise ConfigurationError("--destination needs a name.")
    if isinstance(destination, postgres):
        from .postgres import Postgres

        return Postgres(target, destination)
    if isinstance(destination, filesystem):
        from .delta_lake import DeltaLakeFolder

        return DeltaLakeFolder(target, destination)
    if isinstance(destination, ducklake):
        from .ducklake import DuckLake

        return DuckLake(target, destination)
    if destination.destination_type in _DUCKDB_TYPES:
        from .duckdb import DuckDB

        return DuckDB(target, destination)
    return Adapter(target, destination)
