"""PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import dlt

from .adapter import Adapter


class Postgres(Adapter):
    """PostgreSQL: an advisory lock keeps loads apart, on whatever machine they run."""

    view_comments = (
        "SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname = {schema}"
    )

    @contextmanager
    def lock(self, pipeline: dlt.Pipeline) -> Iterator[None]:
        """As in `Adapter`: two merges of the same row would both insert it, as neither sees the other's."""
        with pipeline.sql_client() as client:
            # It ends with the connection, also that of a killed process.
            client.execute_sql(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", f"dlt {client.dataset_name}"
            )
            yield
