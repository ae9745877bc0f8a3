"""Refuses what a run of the source may be told, but would end in tables that are not exact.

The source compares with what is stored and hands dlt the difference. dlt drops or truncates tables when it
loads, after the comparison; so while the source is first iterated, nothing has happened yet.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .destinations import check_destination
from .errors import ConfigurationError
from .records import TABLES

if TYPE_CHECKING:
    import dlt
    from dlt.common.schema.typing import TTableSchema
    from dlt.extract import DltSource

_START_OVER = "To start over, choose another dataset_name, or drop the dataset yourself before the run."
_KEYS = ("primary_key", "merge_key", "hard_delete", "dedup_sort")


def check_run(pipeline: "dlt.Pipeline", source: "DltSource", package_state: Any) -> None:
    """Check that the pipeline which is extracting the source is going to keep its tables exact.

    Args:
        package_state: the state of the load package that is being extracted, where dlt notes a refresh.

    Raises:
        ConfigurationError: its destination, `refresh`, or a hint of a resource would prevent it.
    """
    if pipeline.destination is not None:
        check_destination(pipeline.destination)
    # dlt notes it in the package only where there is something to drop.
    if refresh := package_state.get("refresh") or pipeline.refresh:
        raise ConfigurationError(
            f"refresh={refresh!r} would drop what this run is compared with, and load only the difference; "
            f"nothing was dropped. Run without refresh. {_START_OVER}"
        )
    if not TABLES.keys() <= source.schema.tables.keys():
        raise ConfigurationError(
            "the resources of cloudflare_oauth were given to a run without their source, or with another "
            "schema, so their keys are not declared: pass cloudflare_oauth() itself, or "
            "cloudflare_oauth().with_resources(…)."
        )
    for name, resource in source.resources.selected.items():
        if name not in TABLES:
            continue
        # If any hint depends on the row, the name of the table has to, too.
        if callable(resource.table_name):
            raise ConfigurationError(_sentence(name, "a table that depends on the row"))
        for hint in _unsafe_hints(name, resource.compute_table_schema()):
            raise ConfigurationError(_sentence(name, hint))


def _unsafe_hints(name: str, table: "TTableSchema") -> Iterator[str]:
    """What the caller has changed of how a table is written, in words."""
    if (disposition := table.get("write_disposition")) != "merge":
        yield f"write_disposition={disposition!r}"
    if (strategy := table.get("x-merge-strategy", "delete-insert")) != "delete-insert":
        yield f"the merge strategy {strategy!r}"
    if table["name"] != name:
        yield f"table_name={table['name']!r}"
    if parent := table.get("parent"):
        yield f"parent_table_name={parent!r}"
    _, declared = TABLES[name]
    for key in _KEYS:
        given = {column for column, hints in table["columns"].items() if hints.get(key)}
        if given and given != {column.name for column in declared if column.hints.get(key)}:
            yield f"{key}={sorted(given)}"


def _sentence(resource: str, hint: str) -> str:
    return (
        f"{hint} on the resource {resource} would leave a table that is not what Cloudflare holds; nothing "
        "was changed. Run without it: the source declares how its tables are written. " + _START_OVER
    )
