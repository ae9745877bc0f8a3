"""From a target to the adapter of its destination."""

from importlib import import_module

from dlt.common.destination import Destination
from dlt.destinations.impl.ducklake.factory import ducklake
from dlt.destinations.impl.filesystem.factory import filesystem
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import ConfigurationError

from .adapter import Adapter
from .target import Target

_DUCKDB_TYPES = ("dlt.destinations.duckdb", "dlt.destinations.motherduck")
# By module and class; each is imported when it is needed, because its libraries take long to import.
_ADAPTERS = {
    postgres: ("postgres", "Postgres"),
    filesystem: ("delta_lake", "DeltaLakeFolder"),
    ducklake: ("ducklake", "DuckLake"),
}


def adapter_for(target: Target) -> Adapter:
    """The adapter of a target's destination.

    Raises:
        ConfigurationError: the destination has no name.
        DltException: dlt does not know the destination, or it is not configured.
    """
    if target.destination == "duckdb":
        return _made("duckdb", "DuckDBFile", target)
    # A destination without this setting ignores it.
    layout = target.staging_dataset_layout
    destination = Destination.from_reference(target.destination, staging_dataset_name_layout=layout)
    if destination is None:
        raise ConfigurationError("--destination needs a name.")
    for factory, (module, name) in _ADAPTERS.items():
        if isinstance(destination, factory):
            return _made(module, name, target, destination)
    if destination.destination_type in _DUCKDB_TYPES:
        return _made("duckdb", "DuckDB", target, destination)
    return Adapter(target, destination)


def _made(module: str, name: str, *arguments: object) -> Adapter:
    adapter: Adapter = getattr(import_module(f".{module}", __package__), name)(*arguments)
    return adapter
