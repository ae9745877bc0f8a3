"""The main job: one sync of everything the credentials can see into one dataset."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain

from dlt.pipeline.exceptions import PipelineStepFailed

from cloudflare_oauth import CloudflareOAuthError, Limits, events
from cloudflare_oauth.configuration import checked_account_ids, resolve_connection
from cloudflare_oauth.inventory.run import DEFAULT_MAX_DELETE_FRACTION, Options, new_sync_id
from cloudflare_oauth.reading.reader import OpenReader, Reader, Settings
from cloudflare_oauth.settings import DEFAULT_CONCURRENCY, DEFAULT_QUOTA_SHARE
from cloudflare_oauth.source import rows_to_write, take_inventory

from ..analysis.views import update_views
from ..analysis.waivers import Waiver
from ..destinations import adapter as capabilities
from ..destinations.duckdb_memory import DuckDBMemory
from ..destinations.pipeline import causes, explained, open_for_reading, open_pipeline
from ..destinations.row_fitting import fitting
from ..destinations.target import Target
from ..errors import InterruptedSyncError
from . import batching as batches
from .summary import Summary


def sync(
    target: Target | None = None,
    *,
    account_ids: Sequence[str] | None = None,
    exclude_account_ids: Sequence[str] = (),
    api_token: str | None = None,
    base_url: str | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
    quota_share: float = DEFAULT_QUOTA_SHARE,
    max_delete_fraction: float = DEFAULT_MAX_DELETE_FRACTION,
    resume_within: timedelta | None = None,
    waivers: Sequence[Waiver] = (),
    dry_run: bool = False,
    batch_rows: int | None = None,
    limits: Limits | None = None,
    observed_at: datetime | None = None,
    open_reader: OpenReader | None = None,
    observer: events.Observer = events.ignore,
    summary: Summary | None = None,
) -> Summary:
    """Make the dataset equal to what Cloudflare holds.

    Args:
        resume_within: accounts that were read and loaded completely so recently are left out.
        waivers: hold in the view of findings, until the next sync.
        batch_rows: load what has been read after so many rows; as `batches` says by default.
        dry_run: compare and count, and write nothing.
        observed_at: when what is new counts as first seen, and accounts as read; now by default.
        open_reader: where requests are made; on a thread of this process by default. It is opened
            when the dataset is.
        observer: is told what happens, from more than one thread.
        summary: counts into this one, which so tells how far a failed sync came.

    Returns:
        The summary; `status` and `exit_code` say whether every account was read and loaded.

    Raises:
        CloudflareOAuthError: the settings cannot be used, or the accounts cannot be listed.
        SyncError: the destination is unknown, busy or refuses.
    """
    target = target or Target()
    summary = summary or Summary(new_sync_id())

    def observe(event: events.Event) -> None:
        summary.observe(event)
        observer(event)

    connection = resolve_connection(account_ids=account_ids, api_token=api_token, base_url=base_url)
    settings = Settings(
        connection=connection, concurrency=concurrency, quota_share=quota_share, limits=limits
    )
    options = Options(
        account_ids=connection.account_ids,
        exclude_account_ids=checked_account_ids(exclude_account_ids),
        max_delete_fraction=max_delete_fraction,
        observer=observe,
        sync_id=summary.sync_id,
        observed_at=observed_at,
        resume_since=datetime.now(UTC) - resume_within if resume_within else None,
    )

    try:
        with explained(target), _unwrapped(summary):
            reading = (open_reader or _open_reader_thread)(settings, observe)
            if dry_run:
                _compare(target, reading, options)
            else:
                _load(target, reading, options, summary, batch_rows, waivers)
    except BaseException:
        summary.failed = True
        raise
    finally:
        summary.finish()
    return summary


def _open_reader_thread(settings: Settings, observer: events.Observer) -> AbstractContextManager[Reader]:
    # Imported late: who reads in another process does without the libraries that this takes.
    from cloudflare_oauth.reading.thread import open_reader_thread

    return open_reader_thread(settings, observer)


def _load(
    target: Target,
    reading: AbstractContextManager[Reader],
    options: Options,
    summary: Summary,
    batch_rows: int | None,
    waivers: Sequence[Waiver],
) -> None:
    """Renew the views and load whole accounts, batch by batch, while the next ones are being read."""
    with open_pipeline(target) as pipeline, reading as reader:
        # What is stored decides what to resume; and only of DuckDB nobody else can write any more.
        if options.resume_since is None and target.destination == "duckdb":
            reader.prefetch(options.exclude_account_ids)
        for limit in capabilities.limits(pipeline):
            options.observer(events.Warned(limit, partial=False))
        # Who has configured a database of their own has set what it may take.
        memory = DuckDBMemory(pipeline) if target.duckdb_file else None
        with closing(rows_to_write(pipeline, reader, options)) as pieces:
            pieces_to_load = fitting(pieces, pipeline)
            if memory:
                pieces_to_load = memory.while_reading(pieces_to_load)
            first = next(pieces_to_load)
            # The first answers are on their way: time to import Arrow and, as all tables exist, for views.
            from ..destinations.arrow_loader import load

            for problem in update_views(pipeline, waivers):
                options.observer(events.Warned(problem, partial=False))
            for batch in batches.cut(chain([first], pieces_to_load), rows=batch_rows):
                load(pipeline, memory.while_extracted(batch) if memory else batch)
                if memory:
                    memory.after_load()
                summary.accounts_loaded = summary.accounts.total()


def _compare(target: Target, reading: AbstractContextManager[Reader], options: Options) -> None:
    """Take the inventory for its counts alone."""
    file = target.duckdb_file
    with ExitStack() as stack:
        # DuckDB would make a file that is not there.
        is_new = file is not None and not file.exists()
        pipeline = None if is_new else stack.enter_context(open_for_reading(target))
        reader = stack.enter_context(reading)
        for _ in take_inventory(pipeline, reader, options):
            pass


@contextmanager
def _unwrapped(summary: Summary) -> Iterator[None]:
    """Raise what the source raised, or that the user interrupted, not what dlt wrapped around it."""
    try:
        yield
    except (PipelineStepFailed, KeyboardInterrupt) as failure:
        for cause in causes(failure):
            if isinstance(cause, CloudflareOAuthError):
                raise cause from None
            if isinstance(cause, KeyboardInterrupt):
                loaded = f"{summary.accounts_loaded} of {summary.total_accounts} accounts were loaded"
                raise InterruptedSyncError(f"interrupted: {loaded}; the next sync does the rest") from None
        raise
