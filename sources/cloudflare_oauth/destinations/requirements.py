"""What a destination needs, so that dlt can keep the tables exact."""

from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from dlt.common.destination import Destination

_FILES = "dlt.destinations.filesystem"


def check_destination(destination: "Destination[Any, Any]") -> None:
    """Check that dlt's own way of loading into a destination keeps the tables exact.

    Raises:
        ConfigurationError: it would not; the message says what the destination lacks.
    """
    # Not at the top: a reader process never needs dlt, whose import takes half a second.
    from dlt.destinations.sql_client import WithSqlClient

    name = destination.destination_name
    capabilities = destination.capabilities()
    if destination.destination_type == _FILES:
        raise ConfigurationError(
            f"the destination {name}: dlt does not remove rows from files, nor elements of arrays from Delta "
            "tables, so the tables would not stay exact: run `cloudflare-oauth sync --destination "
            "filesystem`, which keeps Delta tables exact, or choose another destination, for example duckdb "
            "or postgres."
        )
    if "delete-insert" not in (capabilities.supported_merge_strategies or ()):
        raise ConfigurationError(
            f"the destination {name} cannot replace and remove rows together with those of their arrays "
            "(dlt's merge strategy delete-insert), so its tables would not stay exact: choose another, "
            "for example duckdb or postgres."
        )
    if not capabilities.preferred_loader_file_format:
        raise ConfigurationError(
            f"the destination {name} is loaded by way of a bucket (dlt's staging), which is not "
            "supported here: choose another, for example duckdb or postgres."
        )
    if not issubclass(destination.client_class, WithSqlClient):
        raise ConfigurationError(
            f"the destination {name} cannot be read back, so nothing could be compared with it: choose "
            "another, for example duckdb or postgres."
        )
