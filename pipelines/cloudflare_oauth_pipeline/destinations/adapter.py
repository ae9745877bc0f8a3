"""What the program has to know of a destination; one subclass for each destination that is tested here.

`Adapter` itself suits any SQL destination that dlt can load exactly:

| it lacks | what is done |
|---|---|
| a merge that removes rows with those of their arrays | files become Delta tables, others are refused |
| loading without a bucket in between, reading back | refused |
| one transaction over a client and its arrays | reported; the next sync repairs what a killed one left |
| views | reported; there are the tables alone |
| the character NUL in a text | U+FFFD is stored instead |
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import dlt
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase

from cloudflare_oauth import (
    CloudflareOAuthError,
    create_tables,
    declared_schema,
    empty_schema,
    events,
    inventory_source,
)
from cloudflare_oauth.destinations import DestinationLimits, check_destination, fitted, limits_of
from cloudflare_oauth.inventory import Inventory, Rows

from .batch import Batch
from .stored_views import StoredViews
from .target import Target

AnyDestination = Destination[Any, Any]


class DatasetLock:
    """The lock on a dataset, while it is held; this one is of a destination where it cannot be lost."""

    def check(self) -> None:
        """Check that the lock is still held, before anything is written that depends on it.

        Raises:
            DestinationError: it was lost.
        """


class Adapter:
    """One destination of one target.

    Attributes:
        excludes_other_writers: whether no other process can write while `hold` lasts.
        stored_views: what the destination tells of its views; None if it has no comments, so that every sync
            renews the views.
        shows_declared_columns: whether a declared column that a table lacks is read as null.
        batch_rows: how many rows to load at once, if not `batching` decides: where a load costs little.
        observer: told of a wait for another sync.
    """

    excludes_other_writers = False
    shows_declared_columns = False
    batch_rows: int | None = None
    stored_views: StoredViews | None = None

    def __init__(self, target: Target, destination: AnyDestination) -> None:
        self.target = target
        self._destination = destination
        self.observer: events.Observer = events.ignore

    @cached_property
    def capabilities(self) -> DestinationCapabilitiesContext:
        """What dlt knows of the destination.

        Asked for once: dlt keeps the error of each look-up that lacks the credentials, and with it the frames
        of all callers and the rows in them.
        """
        return self._destination.capabilities()

    @property
    def limits(self) -> DestinationLimits:
        """What the destination can hold."""
        return limits_of(self._destination.destination_type)

    def destination(self, *, read_only: bool) -> AnyDestination:
        """The destination as dlt is to use it.

        Raises:
            ConfigurationError: it could not keep the tables exact; the message says what it lacks.
        """
        check_destination(self._destination)
        return self._destination

    def hold(self, pipeline: dlt.Pipeline) -> AbstractContextManager[None]:
        """Keep the destination open, and other writers out if it can, for as long as a sync lasts."""
        return nullcontext()

    def lock(self, pipeline: dlt.Pipeline) -> AbstractContextManager[DatasetLock]:
        """The lock on the dataset that every load holds, where two loads at once would mix up their rows.

        Raises:
            BusyError: another sync holds it for too long.
            DestinationError: it was lost before the context ended.
        """
        return nullcontext(DatasetLock())

    def warnings(self, pipeline: dlt.Pipeline) -> Iterator[str]:
        """What the destination cannot do and a user has to know, in sentences."""
        name = self._destination.destination_name
        if not self.capabilities.supports_ddl_transactions:
            yield (
                f"{name} has no transaction over several tables: while a sync loads, a client may be there "
                "without its arrays; what a killed sync leaves half done, the next one writes anew"
            )
        with pipeline.dataset(schema=declared_schema()).destination_client as client:
            if not isinstance(client, SqlJobClientBase):
                yield f"{name} has no views: there are the tables alone"

    def fit(self, pieces: Iterator[Rows]) -> Iterator[Rows]:
        """The pieces of an inventory with rows that the destination can hold."""
        return fitted(pieces, self.limits)

    def prepared(self, pieces: list[Rows]) -> Iterator[Rows]:
        """The pieces as dlt is to load them."""
        return iter(pieces)

    def create_tables(self, pipeline: dlt.Pipeline) -> None:
        """Create the tables that are missing."""
        with self.lock(pipeline):
            create_tables(pipeline)

    def load(self, pipeline: dlt.Pipeline, batch: Batch, inventory: Inventory) -> None:
        """Load a batch of an inventory as one package.

        Raises:
            PipelineStepFailed: as `dlt.Pipeline.run`.
        """
        # All of it is read before another sync has to wait.
        pieces = [piece.content for piece in batch]
        with self.lock(pipeline) as lock:
            load_by_dlt(pipeline, self.prepared(inventory.still_true(pieces)), lock)

    def is_native_to_views(self, client: SqlClientBase[Any]) -> bool:
        """Whether the views, which are written in DuckDB's dialect, need no translation."""
        return False

    def explain(self, error: BaseException) -> CloudflareOAuthError | None:
        """The destination's error as one of this project, if only the adapter can tell what it means."""
        return None


def plain_dataset(pipeline: dlt.Pipeline) -> dlt.Dataset:
    """The pipeline's dataset, for what concerns no table.

    For a new pipeline dlt itself would make a schema with the pipeline's name, which not every name allows.
    """
    return pipeline.dataset(schema=empty_schema())


def load_by_dlt(pipeline: dlt.Pipeline, pieces: Iterable[Rows], lock: DatasetLock) -> None:
    """Load pieces as one package of dlt's, while the lock is held.

    Raises:
        PipelineStepFailed: as `dlt.Pipeline.run`.
    """
    prepare(pipeline)
    pipeline.extract(inventory_source(iter(pieces)))
    pipeline.normalize()
    lock.check()
    pipeline.load()


def prepare(pipeline: dlt.Pipeline) -> None:
    """Do what `dlt.Pipeline.run` does before its first load."""
    if not pipeline.schema_names:
        pipeline.sync_destination()
