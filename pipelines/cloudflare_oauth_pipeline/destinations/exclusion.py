"""One load at a time, where a destination would mix up two of them in the same dataset."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dlt
import filelock
from dlt.destinations.impl.postgres.factory import postgres

from .delta_lake import DeltaLakeClient


@contextmanager
def alone(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Hold what other loads into the same dataset wait for, on whatever machine; a killed one lets go.

    In PostgreSQL two merges of the same row would both insert it: neither sees the other's. A folder of
    Delta tables refuses the second of two writers, and what looks left over may be the other's.
    """
    if isinstance(pipeline.destination, postgres):
        with pipeline.sql_client() as client:
            # Ends with the connection.
            client.execute_sql(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", f"dlt {client.dataset_name}"
            )
            yield
        return
    with pipeline.destination_client() as job_client:
        if isinstance(job_client, DeltaLakeClient) and job_client.is_local_filesystem:
            folder = Path(job_client.dataset_path)
            with filelock.FileLock(folder.with_name(f"{folder.name}.lock")):
                yield
        else:
            yield
