"""PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dlt
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import CloudflareOAuthError, DestinationError

from .adapter import Adapter, AnyDestination, DatasetLock, plain_dataset
from .postgres_views import PostgresViews

if TYPE_CHECKING:
    from .postgres_locks import BoundedClient


class LockedError(DatabaseException):
    """Another session held a lock on a table for longer than is waited; the message names it."""

    def __init__(self, error: Exception, sentence: str) -> None:
        super().__init__(error)
        self.args = (sentence,)


class Postgres(Adapter):
    """PostgreSQL: an advisory lock keeps loads apart, on whatever machine they run.

    Attributes:
        longest_wait_seconds: how long another sync's load is waited for.
    """

    longest_wait_seconds = 600.0

    def destination(self, *, read_only: bool) -> AnyDestination:
        """As in `Adapter`."""
        return BoundedPostgres(**super().destination(read_only=read_only).config_params)

    stored_views = PostgresViews()

    @contextmanager
    def lock(self, pipeline: dlt.Pipeline) -> Iterator[DatasetLock]:
        """As in `Adapter`: two merges of the same row would both insert it, as neither sees the other's."""
        # Not at the top: psycopg2 is optional.
        from .postgres_locks import advisory_lock

        with advisory_lock(
            plain_dataset(pipeline).sql_client, self.longest_wait_seconds, self.observer
        ) as lock:
            yield lock

    def explain(self, error: BaseException) -> CloudflareOAuthError | None:
        """As in `Adapter`: a table that is locked, or a pooler that refuses what dlt connects with."""
        if isinstance(error, LockedError):
            return DestinationError(f"{self.target}: {error}")
        if "unsupported startup parameter" in str(error):
            return DestinationError(
                f"{self.target}: the connection pooler in front of PostgreSQL refuses a parameter that "
                "dlt connects with. For pgbouncer, set ignore_startup_parameters = extra_float_digits, "
                "options in pgbouncer.ini, reload it and run again"
            )
        return None


class BoundedPostgres(postgres):
    """dlt's `postgres`, which never waits for a lock without an end."""

    @property
    def client_class(self) -> type["BoundedClient"]:
        # Not at the top: psycopg2 is optional.
        from .postgres_locks import BoundedClient

        return BoundedClient

    @property
    def destination_name(self) -> str:
        return self.config_params.get("destination_name") or "postgres"

    @property
    def destination_type(self) -> str:
        return "dlt.destinations.postgres"
