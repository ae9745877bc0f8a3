"""The dlt source: an inventory's rows, handed to dlt table by table."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract import DltResource

from . import events
from .configuration import checked_account_ids, resolve_connection
from .dlt_schema import declare_tables
from .inventory.run import DEFAULT_MAX_DELETE_FRACTION, Inventory, Options, Rows, new_sync_id
from .inventory.stored_state import create_tables, read_stored_state
from .reading.reader import Reader, Settings
from .records.canonical import JSON
from .records.enrichment import with_element_facts
from .records.tables import SCHEMA_NAME, TABLES
from .settings import DEFAULT_CONCURRENCY, DEFAULT_QUOTA_SHARE, Limits


# An empty specification: dlt would fill in arguments before the environment has been asked.
@dlt.source(name=SCHEMA_NAME, section=SCHEMA_NAME, spec=BaseConfiguration)
def cloudflare_oauth(
    account_ids: Sequence[str] | None = None,
    *,
    exclude_account_ids: Sequence[str] = (),
    api_token: str | None = None,
    email: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
    quota_share: float = DEFAULT_QUOTA_SHARE,
    max_delete_fraction: float = DEFAULT_MAX_DELETE_FRACTION,
    limits: Limits | None = None,
    observer: events.Observer = events.ignore,
    sync_id: str | None = None,
) -> Sequence[DltResource]:
    """The OAuth clients of Cloudflare accounts, as a difference to what the dataset holds.

    Source: `GET /accounts` (unless accounts are named), `GET /accounts/{account_id}/oauth_clients`
    for each of them, `GET /oauth/scopes`; and the tables of the pipeline's dataset, which everything
    is compared with. Without a pipeline everything is new.

    Args:
        account_ids: read these accounts and list none; also `CLOUDFLARE_ACCOUNT_ID`.
        api_token: or `email` and `api_key`; also the environment or dlt's configuration.
        concurrency: requests in flight at once.
        quota_share: largest part of Cloudflare's quota to use (0 to 1).
        max_delete_fraction: of an account's known clients, how many may vanish at once (0 to 1).
        limits: time limits and attempts of a request.
        observer: is told what happens, from more than one thread.
        sync_id: the id of this sync in the tables; a new one by default.

    Returns:
        The resources `accounts`, `oauth_scopes`, `oauth_clients`, `oauth_client_changes`,
        `account_syncs` and `rejected_rows`, each named as its table.

    Raises:
        ConfigurationError: no credentials, or a setting that cannot be used.
    """
    connection = resolve_connection(
        account_ids=account_ids, api_token=api_token, email=email, api_key=api_key, base_url=base_url
    )
    settings = Settings(
        connection=connection, concurrency=concurrency, quota_share=quota_share, limits=limits
    )
    options = Options(
        account_ids=connection.account_ids,
        exclude_account_ids=checked_account_ids(exclude_account_ids),
        max_delete_fraction=max_delete_fraction,
        observer=observer,
        sync_id=sync_id or new_sync_id(),
    )

    def take() -> Iterator[Rows]:
        # Imported late: who reads in another process does without the libraries that this takes.
        from .reading.thread import open_reader_thread

        with open_reader_thread(settings, observer) as reader:
            yield from rows_to_write(active_pipeline(), reader, options)

    return _resources(take)


@dlt.source(name=SCHEMA_NAME, section=SCHEMA_NAME, spec=BaseConfiguration)
def inventory_source(pieces: Iterator[Rows]) -> Sequence[DltResource]:
    """The same resources, for pieces of an inventory that is being taken already."""
    return _resources(lambda: pieces)


def _resources(take: Callable[[], Iterator[Rows]]) -> Sequence[DltResource]:
    declare_tables(dlt.current.source_schema())

    @dlt.resource(name="inventory", selected=False)
    def inventory() -> Iterator[Rows]:
        yield from take()

    # One inventory feeds all tables: dlt reads it once and hands each piece to every resource.
    return [inventory | _table(name) for name in TABLES]


def rows_to_write(
    pipeline: dlt.Pipeline | None, reader: Reader, options: Options
) -> Generator[Rows, None, None]:
    """`take_inventory`, for someone who will load what it yields: the tables are there by then."""
    with closing(take_inventory(pipeline, reader, options)) as pieces:
        # The accounts are listed before the first piece: credentials that fail leave no tables.
        first = next(pieces)
        create_tables(pipeline)
        yield first
        yield from pieces


def take_inventory(
    pipeline: dlt.Pipeline | None, reader: Reader, options: Options
) -> Generator[Rows, None, None]:
    """Compare Cloudflare with the pipeline's dataset and yield what is to be written, by table.

    Writes nothing itself.

    Raises:
        CloudflareError: the accounts cannot be listed, or there are none.
    """
    yield from Inventory(reader, read_stored_state(pipeline), options).take()


def _table(name: str) -> DltResource:
    """The resource that takes one table's rows out of each piece of the inventory."""

    # dlt's default strategy, also for the logs: `insert-only` trusts the staging table, in which a load
    # job that was killed and repeated leaves every row twice.
    @dlt.transformer(name=name, write_disposition="merge", file_format="parquet")
    def rows_of_table(rows: Rows) -> list[JSON] | None:
        if name == "oauth_clients":
            return [with_element_facts(row) for row in rows.get(name, ())] or None
        return rows.get(name) or None

    resource: DltResource = rows_of_table
    return resource


def active_pipeline() -> dlt.Pipeline | None:
    """The pipeline that is extracting; None if the source is iterated by itself."""
    # A pipeline stays active after its run; while it extracts, there is a load package.
    if LoadPackageStateInjectableContext not in Container():
        return None
    pipeline: dlt.Pipeline = dlt.current.pipeline()
    return pipeline
