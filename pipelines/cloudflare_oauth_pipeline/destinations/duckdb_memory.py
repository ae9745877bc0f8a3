"""How much memory DuckDB takes while a sync fills its file.

It would keep whatever fits. Beyond its limit it writes to a folder beside its file, which takes longer; but
some of what a batch makes has to be in memory at once, or DuckDB refuses to load it.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import dlt
from dlt.destinations.exceptions import DatabaseException

from cloudflare_oauth.inventory.run import Rows

from .pipeline import plain_client
from .row_size import character_count, element_count

# Enough for a batch of usual rows, if slowly: what reads has to have its part, and so has what earlier
# batches left.
ONE_OF_SEVERAL_BATCHES_MB = 80
# Most syncs have no other. By then nothing is read any more.
THE_ONLY_BATCH_MB = 400
# For rows that are longer than usual ones. Measured: with two thirds of it, batches of few clients with long
# arrays or long texts were refused.
BYTES_PER_ROW = 50
BYTES_PER_CHARACTER = 5


class DuckDBMemory:
    """The limit of one pipeline's DuckDB, for all its connections, until the last of them is closed."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._client = plain_client(pipeline)
        self._is_reading = True
        self._has_loaded = False
        self._limit(ONE_OF_SEVERAL_BATCHES_MB)

    def while_reading(self, pieces: Iterator[Rows]) -> Iterator[Rows]:
        """The same pieces; notes when there are no more."""
        yield from pieces
        self._is_reading = False

    def while_extracted(self, batch: Iterator[Rows]) -> Iterator[Rows]:
        """The same pieces; at their end, DuckDB may take what it needs to load them."""
        rows = characters = 0
        for piece in batch:
            for row in chain.from_iterable(piece.values()):
                rows += 1 + element_count(row)
                characters += character_count(row)
            yield piece
        is_the_only_one = not (self._is_reading or self._has_loaded)
        least_mb = THE_ONLY_BATCH_MB if is_the_only_one else ONE_OF_SEVERAL_BATCHES_MB
        needed_bytes = rows * BYTES_PER_ROW + characters * BYTES_PER_CHARACTER
        self._limit(max(least_mb, needed_bytes // 1_000_000))

    def after_load(self) -> None:
        """Let DuckDB forget what the load made it keep, if it would stay while the next batch is read."""
        self._has_loaded = True
        if self._is_reading:
            # It forgets when its limit is lowered, or refuses to while something is in use.
            with suppress(DatabaseException):
                self._limit(20)
            self._limit(ONE_OF_SEVERAL_BATCHES_MB)

    def _limit(self, megabytes: int) -> None:
        with self._client as client:
            client.execute_sql(f"SET memory_limit = '{megabytes}MB'")
