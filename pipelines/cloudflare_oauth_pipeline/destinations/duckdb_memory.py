"""How much memory DuckDB may use while a sync fills its file.

Without a limit it would keep as much as fits. Beyond the limit it writes to a folder beside its file, which
takes longer, but part of what a batch produces has to be in memory at once, or DuckDB refuses to load it.
"""

from contextlib import suppress
from typing import Any

from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.sql_client import SqlClientBase

from .batch import Batch

# Never less: with 120 MB, DuckDB 1.5.6 silently lost array elements in 4 of 20 loads of 2,000 clients with 50
# URIs of 500 characters, instead of refusing them. With enough memory it has to spill nothing.
LEAST_MB = 400
# For rows longer than typical ones: measured, DuckDB 1.5.6 refuses batches with less than two fifths of it.
BYTES_PER_ROW = 1_000
BYTES_PER_CHARACTER = 10


def limit_for(batch: Batch | None = None) -> int:
    """The limit in MB for loading a batch that has been extracted; without one, while nothing is loaded."""
    if batch is None:
        return LEAST_MB
    needed_bytes = (batch.rows + batch.elements) * BYTES_PER_ROW + batch.characters * BYTES_PER_CHARACTER
    return max(LEAST_MB, needed_bytes // 1_000_000)


def set_limit(client: SqlClientBase[Any], megabytes: int) -> None:
    """Set the limit of the DuckDB instance, for all its connections."""
    client.execute_sql(f"SET memory_limit = '{megabytes}MB'")


def release(client: SqlClientBase[Any]) -> None:
    """Make DuckDB release what a load made it keep, then restore the limit."""
    # It releases memory when the limit is lowered, or refuses the limit while something is in use.
    with suppress(DatabaseException):
        set_limit(client, 20)
    set_limit(client, LEAST_MB)
