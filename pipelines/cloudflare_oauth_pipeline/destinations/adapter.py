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

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import dlt
from dlt.common.destination import Destination
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase, WithSqlClient

from cloudflare_oauth import CloudflareOAuthError, ConfigurationError, declared_schema, inventory_source
from cloudflare_oauth.destinations import DestinationLimits, fitted, limits_of
from cloudflare_oauth.inventory import Rows

from .batch import Batch
from .stored_views import StoredViews
from .target import Target

AnyDestination = Destination[Any, Any]


class Adapter:
    """One destination of one target.

    Attributes:
        excludes_other_writers: whether no other process can write while `hold` lasts, so that the reader may
            prefetch before the stored state is read.
        stored_views: what the destination tells of its views; None if it has no comments, so that every sync
            renews the views.
    """

    excludes_other_writers = False
    stored_views: StoredViews | None = None

    def __init__(self, target: Target, destination: AnyDestination) -> None:
        self.target = target
        self._destination = destination

    @property
    def limits(self) -> DestinationLimits:
        """What the destination can hold."""
        return limits_of(self._destination.destination_type)

    def destination(self, *, read_only: bool) -> AnyDestination:
        """The destination as dlt is to use it.

        Raises:
            ConfigurationError: it could not keep the tables exact; the message says what it lacks.
        """
        name = self._destination.destination_name
        capabilities = self._destination.capabilities()
        if "delete-insert" not in (capabilities.supported_merge_strategies or ()):
            raise ConfigurationError(
                f"the destination {name} cannot replace and remove rows together with those of their arrays "
                "(dlt's merge strategy delete-insert), so its tables would not stay exact: choose another, "
                "for example duckdb or postgres."
            )
        if not capabilities.preferred_loader_file_format:
            raise ConfigurationError(
                f"the destination {name} is loaded by way of a bucket (dlt's staging), which is not "
                "supported here: choose another, for example duckdb or postgres."
            )
        if not issubclass(self._destination.client_class, WithSqlClient):
            raise ConfigurationError(
                f"the destination {name} cannot be read back, so nothing could be compared with it."
            )
        return self._destination

    def hold(self, pipeline: dlt.Pipeline) -> AbstractContextManager[None]:
        """Keep the destination open, and other writers out if it can, for as long as a sync lasts."""
        return nullcontext()

    def lock(self, pipeline: dlt.Pipeline) -> AbstractContextManager[None]:
        """The lock on the dataset that every load holds, where two loads at once would mix up their rows."""
        return nullcontext()

    def warnings(self, pipeline: dlt.Pipeline) -> Iterator[str]:
        """What the destination cannot do and a user has to know, in sentences."""
        name = self._destination.destination_name
        if not self._destination.capabilities().supports_ddl_transactions:
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

    def load(self, pipeline: dlt.Pipeline, batch: Batch) -> None:
        """Load a batch as one package.

        Raises:
            PipelineStepFailed: as `dlt.Pipeline.run`.
        """
        prepare(pipeline)
        pipeline.extract(inventory_source(piece.content for piece in batch))
        pipeline.normalize()
        with self.lock(pipeline):
            pipeline.load()

    def is_native_to_views(self, client: SqlClientBase[Any]) -> bool:
        """Whether the views, which are written in DuckDB's dialect, need no translation."""
        return False

    def explain(self, error: BaseException) -> CloudflareOAuthError | None:
        """The destination's error as one of this project, if only the adapter can tell what it means."""
        return None


def prepare(pipeline: dlt.Pipeline) -> None:
    """Do what `dlt.Pipeline.run` does before its first load."""
    if not pipeline.schema_names:
        pipeline.sync_destination()
