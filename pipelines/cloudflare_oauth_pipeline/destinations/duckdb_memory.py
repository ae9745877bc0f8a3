"""How much memory DuckDB may use while a sync fills its file.

Without a limit it would keep as much as fits. Beyond the limit it writes to a folder beside its file, which
takes longer, but part of what a batch produces has to be in memory at once, or DuckDB refuses to load it.
"""

from contextlib import suppress
from typing import Any

from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.sql_client import SqlClientBase

from .batch import Batch

# Enough for a batch of typical rows, if slowly: the reader needs memory, too, and earlier batches left some.
ONE_OF_SEVERAL_BATCHES_MB = 80
# By the time it is loaded, nothing is read any more. Most syncs have just one batch.
THE_ONLY_BATCH_MB = 400
# Measured with DuckDB 1.5.6: with two thirds of it, DuckDB refused batches of few clients with long arrays or
# long texts.
BYTES_PER_ROW = 500
BYTES_PER_CHARACTER = 5


def limit_for(batch: Batch | None = None) -> int:
    """The limit in MB for loading a batch that has been extracted; without one, while nothing is loaded."""
    if batch is None:
        return ONE_OF_SEVERAL_BATCHES_MB
    least_mb = THE_ONLY_BATCH_MB if batch.is_first and batch.is_last else ONE_OF_SEVERAL_BATCHES_MB
    needed_bytes = (batch.rows + batch.elements) * BYTES_PER_ROW + batch.characters * BYTES_PER_CHARACTER
    return max(least_mb, needed_bytes // 1_000_000)


def set_limit(client: SqlClientBase[Any], megabytes: int) -> None:
    """Set the limit of the DuckDB instance, for all its connections."""
    client.execute_sql(f"SET memory_limit = '{megabytes}MB'")


def release(client: SqlClientBase[Any]) -> None:
    """Make DuckDB release what a load made it keep, then restore the limit."""
    # It releases memory when the limit is lowered, or refuses the limit while something is in use.
    with suppress(DatabaseException):
        set_limit(client, 20)
    set_limit(client, ONE_OF_SEVERAL_BATCHES_MB)
