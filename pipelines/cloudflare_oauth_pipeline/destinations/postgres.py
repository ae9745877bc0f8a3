"""PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import dlt

from .adapter import Adapter
from .postgres_views import PostgresViews


class Postgres(Adapter):
    """PostgreSQL: an advisory lock keeps loads apart, on whatever machine they run."""

    stored_views = PostgresViews()

    @contextmanager
    def lock(self, pipeline: dlt.Pipeline) -> Iterator[None]:
        """As in `Adapter`: two merges of the same row would both insert it, as neither sees the other's."""
        with pipeline.sql_client() as client:
            # It ends with the connection, also that of a killed process.
            client.execute_sql(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", f"dlt {client.dataset_name}"
            )
            yield
