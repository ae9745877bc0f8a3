"""How much memory DuckDB takes while a sync fills its file.

It would keep whatever fits. Beyond its limit it writes to a folder beside its file, which takes longer.
"""

from collections.abc import Iterator
from contextlib import suppress

import dlt
from dlt.destinations.exceptions import DatabaseException

from cloudflare_oauth.inventory import Rows

from .destination import plain_client

# Enough for a batch, if slowly: what reads has to have its part, and so has what earlier batches left.
ONE_OF_SEVERAL_BATCHES = "150MB"
# Most syncs have no other. By then nothing is read any more.
THE_ONLY_BATCH = "400MB"


class DuckDBMemory:
    """The limit of one pipeline's DuckDB, for all its connections, until the last of them is closed."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._client = plain_client(pipeline)
        self._is_reading = True
        self._has_loaded = False
        self._limit(ONE_OF_SEVERAL_BATCHES)

    def while_reading(self, pieces: Iterator[Rows]) -> Iterator[Rows]:
        """The same pieces; if they were all in one batch, DuckDB may take more memory for it."""
        yield from pieces
        self._is_reading = False
        if not self._has_loaded:
            self._limit(THE_ONLY_BATCH)

    def after_load(self) -> None:
        """Let DuckDB forget what the load made it keep, if it would stay while the next batch is read."""
        self._has_loaded = True
        if self._is_reading:
            # It forgets when its limit is lowered, or refuses to while something is in use.
            with suppress(DatabaseException):
                self._limit("20MB")
            self._limit(ONE_OF_SEVERAL_BATCHES)

    def _limit(self, limit: str) -> None:
        with self._client as client:
            client.execute_sql(f"SET memory_limit = '{limit}'")
