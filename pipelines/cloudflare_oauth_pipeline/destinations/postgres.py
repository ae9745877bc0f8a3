"""PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import dlt
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.postgres.factory import postgres

from cloudflare_oauth import CloudflareOAuthError, DestinationError
from cloudflare_oauth.destinations import DestinationLimits
from cloudflare_oauth.inventory import Inventory

from . import postgres_copy
from .adapter import Adapter, AnyDestination, DatasetLock, plain_dataset
from .appending import NewRows, append_and_load, append_in_transaction
from .batch import Batch
from .postgres_access import LibpqConfiguration, check_rights, refusal
from .postgres_views import PostgresViews
from .target import Target

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
    # They are held in memory until they are loaded, because another sync may have overtaken them.
    batch_rows = 10_000

    def __init__(self, target: Target, destination: AnyDestination) -> None:
        super().__init__(target, destination)
        self._foreign_table: str | None = None

    @property
    def limits(self) -> DestinationLimits:
        """As in `Adapter`; only its owner can add a column to a table."""
        return replace(super().limits, may_add_columns=self._foreign_table is None)

    def destination(self, *, read_only: bool) -> AnyDestination:
        """As in `Adapter`."""
        return BoundedPostgres(**super().destination(read_only=read_only).config_params)

    stored_views = PostgresViews()

    @contextmanager
    def hold(self, pipeline: dlt.Pipeline) -> Iterator[None]:
        """As in `Adapter`: nothing is held, but the rights of the role are checked."""
        with plain_dataset(pipeline).sql_client as client:
            self._foreign_table = check_rights(client)
        yield

    def warnings(self, pipeline: dlt.Pipeline) -> Iterator[str]:
        """As in `Adapter`."""
        yield from super().warnings(pipeline)
        if self._foreign_table:
            yield (
                f"the role does not own the table {self._foreign_table}, so no column can be added: fields "
                "that are new to the dataset are rejected"
            )

    @contextmanager
    def lock(self, pipeline: dlt.Pipeline) -> Iterator[DatasetLock]:
        """As in `Adapter`: two merges of the same row would both insert it, as neither sees the other's."""
        # Not at the top: psycopg2 is optional.
        from .postgres_locks import advisory_lock

        with advisory_lock(
            plain_dataset(pipeline).sql_client, self.longest_wait_seconds, self.observer
        ) as lock:
            yield lock

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """As in `Adapter`: what is new is copied."""
        new = NewRows(inventory, self.capabilities)
        append = partial(append_in_transaction, pipeline, inventory, new, postgres_copy.copy)
        append_and_load(self, pipeline, batch, inventory, new, append)

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
        sentence = refusal(error)
        return DestinationError(f"{self.target}: {sentence}") if sentence else None


class BoundedPostgres(postgres):
    """dlt's `postgres`; it never waits for a lock without an end, and takes any address that libpq takes."""

    spec = LibpqConfiguration

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
