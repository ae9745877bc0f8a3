"""The dlt source: the rows of an inventory, handed to dlt table by table."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.destination import TLoaderFileFormat
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract import DltResource

from . import events
from .configuration import resolve_settings
from .destinations import DestinationLimits, fitted, limits_of
from .dlt_schema import create_tables, declare_tables, empty_schema, read_stored_tables
from .inventory import Inventory, Rows, read_stored_state
from .ownership import check_ownership
from .records import JSON, OAUTH_CLIENT_CHANGES, SCHEMA_NAME, TABLES, with_element_facts
from .run_checks import check_run
from .settings import Limits, SyncSettings

_JSON_COLUMNS = [column.name for column in OAUTH_CLIENT_CHANGES if column.data_type == "json"]


# An empty specification: dlt would fill in arguments before the environment has been asked.
@dlt.source(schema=empty_schema(), section=SCHEMA_NAME, spec=BaseConfiguration)
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

    Returns:
        The resources `accounts`, `oauth_scopes`, `oauth_clients`, `oauth_client_changes`, `account_syncs` and
        `rejected_rows`, each named after its table.

    Raises:
        ConfigurationError: a setting cannot be used; at the first iteration, before anything is requested:
            there are no credentials, or the run would not keep the tables exact (`refresh`, `replace`, plain
            files).
    """
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

        pipeline = active_pipeline()
        if pipeline is not None:
            check_run(pipeline, dlt.current.source(), dlt.current.load_package_state()["state"])
            _learn_schema(pipeline)
        resolved = resolve_settings(settings)
        check_ownership(pipeline)
        with open_reader_thread(resolved, observer) as reader:
            stored = read_stored_state(pipeline)
            limits = _limits(pipeline)
            inventory = Inventory(
                reader, stored, resolved, limits=limits, observer=observer, sync_id=this_sync
            )
            with closing(inventory.take(on_listed=lambda: create_tables(pipeline))) as pieces:
                yield from fitted(pieces, limits)

    return _resources(take)


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
