"""The dlt source: the rows of an inventory, handed to dlt table by table."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import Literal, Self

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.destination import TLoaderFileFormat
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract import DltResource, DltSource

from . import events
from .configuration import resolve_settings
from .destinations import DestinationLimits, fitted, limits_of
from .dlt_schema import create_tables, declare_tables, empty_schema, read_stored_tables
from .errors import ConfigurationError, PartialSyncError
from .inventory import Inventory, Rows, read_stored_state
from .ownership import check_ownership
from .records import JSON, OAUTH_CLIENT_CHANGES, SCHEMA_NAME, TABLES, with_element_facts
from .run_checks import check_run
from .settings import Limits, SyncSettings

MOST_PROBLEMS_TOLD = 10

_LOG = logging.getLogger(__name__)
_JSON_COLUMNS = [column.name for column in OAUTH_CLIENT_CHANGES if column.data_type == "json"]


class InventorySource(DltSource):
    """A source whose limit is one of accounts: what belongs to an account is read whole or not at all."""

    most_accounts: int | None = None

    def add_limit(
        self, max_items: int | None = None, max_time: float | None = None, count_rows: bool | None = False
    ) -> Self:
        """Read at most `max_items` accounts, to try the source out.

        Raises:
            ConfigurationError: the limit is one of seconds or rows.
        """
        if max_time is not None or count_rows:
            raise ConfigurationError("add_limit takes max_items alone here: a number of accounts.")
        self.most_accounts = max_items
        return self


# An empty specification: dlt would fill in arguments before the environment has been asked.
@dlt.source(schema=empty_schema(), section=SCHEMA_NAME, spec=BaseConfiguration, _impl_cls=InventorySource)
def cloudflare_oauth(
    account_ids: Sequence[str] | None = None,
    *,
    exclude_account_ids: Sequence[str] = (),
    api_token: str | None = None,
    email: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    concurrency: int = SyncSettings.concurrency,
    quota_share: float = SyncSettings.quota_share,
    max_delete_fraction: float = SyncSettings.max_delete_fraction,
    limits: Limits | None = None,
    observer: events.Observer = events.ignore,
    sync_id: str | None = None,
    on_partial: Literal["warn", "raise"] = "warn",
) -> Sequence[DltResource]:
    """The OAuth clients of Cloudflare accounts, as a difference to what the pipeline's dataset holds.

    Building the source needs neither credentials nor network; both are needed when it is first iterated.

    Source: `GET /accounts` (unless accounts are named), `GET /accounts/{account_id}/oauth_clients` for each
    account, `GET /oauth/scopes`; and the tables of the pipeline's dataset. Without a pipeline everything is
    new.

    Args:
        account_ids: read only these accounts, and list none; also `CLOUDFLARE_ACCOUNT_ID`.
        exclude_account_ids: leave these accounts out.
        api_token: or `email` and `api_key`; also from the environment or dlt's configuration.
        concurrency: number of requests in flight at once.
        quota_share: largest share of Cloudflare's quota to use (above 0, up to 1).
        max_delete_fraction: largest share of an account's known clients that may vanish at once (0 to 1).
        limits: timeouts and attempts of requests.
        observer: receives progress events, from more than one thread.
        sync_id: the id of this sync in the tables, with a number behind it if the object is run again; a new
            one by default.
        on_partial: what to do if an account could not be read completely, or a row not be taken: `warn` logs
            what is missing and loads the rest; `raise` ends the run before anything is loaded.

    Returns:
        The resources `accounts`, `oauth_scopes`, `oauth_clients`, `oauth_client_changes`, `account_syncs` and
        `rejected_rows`, each named after its table.

    Raises:
        ConfigurationError: a setting cannot be used; at the first iteration, before anything is requested:
            there are no credentials, or the run would not keep the tables exact (`refresh`, `replace`, plain
            files).
        PartialSyncError: `on_partial` is `raise`, and something could not be read.
    """
    if on_partial not in ("warn", "raise"):
        raise ConfigurationError(f"on_partial is {on_partial!r}, but it has to be 'warn' or 'raise'.")
    settings = SyncSettings(
        api_token=api_token,
        email=email,
        api_key=api_key,
        base_url=base_url,
        account_ids=None if account_ids is None else tuple(account_ids),
        exclude_account_ids=tuple(exclude_account_ids),
        concurrency=concurrency,
        quota_share=quota_share,
        max_delete_fraction=max_delete_fraction,
        limits=limits or Limits(),
    )

    runs = count(1)

    def take() -> Iterator[Rows]:
        # The same source object may be run again, and that is another sync.
        run = next(runs)
        this_sync = f"{sync_id}-{run}" if sync_id and run > 1 else sync_id
        # Not at the top: a sync that reads in another process never needs the HTTP libraries.
        from .reading.thread import open_reader_thread

        source = dlt.current.source()
        pipeline = active_pipeline()
        if pipeline is not None:
            check_run(pipeline, source, dlt.current.load_package_state()["state"])
            _learn_schema(pipeline)
        resolved = resolve_settings(settings)
        check_ownership(pipeline)
        problems = _Problems(observer)
        with open_reader_thread(resolved, problems.observe) as reader:
            stored = read_stored_state(pipeline)
            limits = _limits(pipeline)
            inventory = Inventory(
                reader,
                stored,
                resolved,
                limits=limits,
                observer=problems.observe,
                sync_id=this_sync,
                most_accounts=source.most_accounts if isinstance(source, InventorySource) else None,
            )
            with closing(inventory.take(on_listed=lambda: create_tables(pipeline))) as pieces:
                yield from fitted(pieces, limits)
        if problems.told:
            if on_partial == "raise":
                raise PartialSyncError(f"{problems}; nothing was loaded, because on_partial is 'raise'")
            _LOG.warning("%s; the rest is loaded", problems)

    return _resources(take)


class _Problems:
    """What a run could not read or take, for who runs the source without looking at its events."""

    def __init__(self, observer: events.Observer) -> None:
        self.told: list[str] = []
        self._observer = observer

    def observe(self, event: events.Event) -> None:
        match event:
            case events.AccountDone(account_id=account_id, status=status, error_message=str(message)):
                subject = f"account {account_id}: "
                self.told.append(f"{subject}{status}, {message.removeprefix(subject)}")
            case events.Warned(message, True):
                self.told.append(message)
        self._observer(event)

    def __str__(self) -> str:
        left = len(self.told) - MOST_PROBLEMS_TOLD
        more = f"; and {left} more, see account_syncs" if left > 0 else ""
        return f"this sync is partial: {'; '.join(self.told[:MOST_PROBLEMS_TOLD])}{more}"


@dlt.source(schema=empty_schema(), section=SCHEMA_NAME, spec=BaseConfiguration)
def inventory_source(
    pieces: Iterator[Rows], file_format: TLoaderFileFormat = "parquet"
) -> Sequence[DltResource]:
    """The same resources, for pieces of an inventory that is already being taken.

    Args:
        file_format: of the files that the destination loads.
    """

    def take() -> Iterator[Rows]:
        if pipeline := active_pipeline():
            _learn_schema(pipeline)
        yield from pieces

    return _resources(take, file_format)


def _learn_schema(pipeline: dlt.Pipeline) -> None:
    """Add what the dataset has learned: the pipeline's own copy may lack what others have taught it."""
    declare_tables(dlt.current.source_schema(), read_stored_tables(pipeline))


def _resources(
    take: Callable[[], Iterator[Rows]], file_format: TLoaderFileFormat = "parquet"
) -> Sequence[DltResource]:
    declare_tables(dlt.current.source_schema())

    @dlt.resource(name="inventory", selected=False)
    def inventory() -> Iterator[Rows]:
        yield from take()

    # One inventory feeds all tables: dlt reads it once and hands each piece to every resource.
    return [inventory | _table(name, file_format) for name in TABLES]


def _table(name: str, file_format: TLoaderFileFormat) -> DltResource:
    """The resource that takes one table's rows out of each piece of the inventory."""

    # dlt's default merge strategy, also for the logs: `insert-only` trusts the staging table, where a load
    # job that was killed and repeated leaves every row twice.
    @dlt.transformer(name=name, write_disposition="merge", file_format=file_format)
    def rows_of_table(rows: Rows) -> list[JSON] | None:
        found = rows.get(name)
        if not found:
            return None
        convert = {"oauth_clients": with_element_facts, "oauth_client_changes": _with_objects}.get(name)
        return list(map(convert, found)) if convert else found

    resource: DltResource = rows_of_table
    return resource


def _with_objects(change: JSON) -> JSON:
    """A row of the change log for dlt, which takes a text for a text, even in a column of JSON."""
    return change | {name: json.loads(change[name]) for name in _JSON_COLUMNS if change.get(name) is not None}


def _limits(pipeline: dlt.Pipeline | None) -> DestinationLimits:
    if pipeline is None or pipeline.destination is None:
        return DestinationLimits(holds_nul=True)
    return limits_of(pipeline.destination.destination_type)


def active_pipeline() -> dlt.Pipeline | None:
    """The pipeline that is extracting; None if the source is iterated by itself."""
    # A pipeline stays active after its run; only while it extracts there is a load package.
    if LoadPackageStateInjectableContext not in Container():
        return None
    pipeline: dlt.Pipeline = dlt.current.pipeline()
    return pipeline
