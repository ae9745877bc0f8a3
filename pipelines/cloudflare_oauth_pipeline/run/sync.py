"""The main job: one sync of everything the credentials can see into one dataset."""

import gc
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing

from cloudflare_oauth import (
    CloudflareOAuthError,
    DestinationError,
    InterruptedSyncError,
    SyncSettings,
    check_ownership,
    events,
    resolve_settings,
)
from cloudflare_oauth.inventory import Inventory, Rows, StoredState, read_stored_state
from cloudflare_oauth.reading import OpenReader, Reader

from ..analysis.views import load_views
from ..analysis.views.renewal import renew_views
from ..analysis.waivers import Waiver
from ..destinations.pipeline import open_for_reading, open_for_writing
from ..destinations.target import Target
from ..shortages import all_causes, shortage_of
from .batching import batches
from .summary import Summary, Tally

# How often the accounts are read again that another sync has written meanwhile.
ATTEMPTS_AGAIN = 2


def sync(
    target: Target | None = None,
    settings: SyncSettings | None = None,
    *,
    waivers: Sequence[Waiver] = (),
    dry_run: bool = False,
    batch_rows: int | None = None,
    open_reader: OpenReader | None = None,
    observer: events.Observer = events.ignore,
    tally: Tally | None = None,
) -> Summary:
    """Make the dataset equal to what Cloudflare holds.

    Args:
        target: the dataset; by default a DuckDB file in the current folder.
        settings: what to read, as whom and how; missing values are looked up as `resolve_settings` says.
        waivers: shown by the view of findings until the next sync.
        dry_run: compare and count, and write nothing.
        batch_rows: load after so many rows have been read; by default as in `batching`.
        open_reader: opens the reader, on a thread of this process by default.
        observer: receives progress events, from more than one thread.
        tally: counts the events, and so tells how far a failed sync came.

    Returns:
        The summary; `status` and `exit_code` tell whether every account was read and loaded.

    Raises:
        ConfigurationError: a setting or the destination cannot be used.
        CloudflareError: the accounts cannot be listed.
        DestinationError: the destination is busy or refuses.
        InterruptedSyncError: Ctrl-C was pressed, or the process was told to end.
    """
    target = target or Target()
    tally = tally or Tally()
    settings = resolve_settings(settings or SyncSettings())

    def observe(event: events.Event) -> None:
        tally.observe(event)
        observer(event)

    try:
        reader = (open_reader or _open_reader_thread)(settings, observe)
        if dry_run:
            _compare(target, settings, reader, observe, tally)
        else:
            _load(target, settings, reader, observe, tally, waivers, batch_rows)
    except BaseException as error:
        tally.failed = True
        if interrupt := _interrupt_behind(error):
            loaded = f"{tally.accounts_loaded} of {tally.total_accounts} accounts were loaded"
            raise InterruptedSyncError.by(interrupt, f"{loaded}; the next sync does the rest") from None
        if isinstance(error, CloudflareOAuthError):
            # It says itself what happened, perhaps in Cloudflare's words.
            raise
        if shortage := shortage_of(error):
            raise DestinationError(f"{target}: {shortage}") from None
        raise
    return tally.summary()


def _interrupt_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interrupt that `error` is, or because of which what `error` tells could not be closed."""
    return next((cause for cause in all_causes(error) if isinstance(cause, KeyboardInterrupt)), None)


def _load(
    target: Target,
    settings: SyncSettings,
    opening_reader: AbstractContextManager[Reader],
    observe: events.Observer,
    tally: Tally,
    waivers: Sequence[Waiver],
    batch_rows: int | None,
) -> None:
    with open_for_writing(target) as (pipeline, adapter), opening_reader as reader:
        adapter.observer = observe
        # Where nothing tells whose a view is, the first sync takes care that none is the user's.
        check_ownership(pipeline, views=() if adapter.stored_views else load_views().keys())
        if settings.resume_within is None:
            # What to resume is known only from what is stored.
            reader.prefetch(others_may_write=not adapter.excludes_other_writers)
        _warn(observe, adapter.warnings(pipeline))
        inventory = Inventory(
            reader,
            read_stored_state(pipeline),
            settings,
            limits=adapter.limits,
            observer=observe,
            sync_id=tally.sync_id,
        )

        def load(pieces: Generator[Rows, None, None]) -> None:
            with closing(pieces):
                for batch in batches(adapter.fit(pieces), rows=batch_rows or adapter.batch_rows):
                    adapter.load(pipeline, batch, inventory)
                    tally.mark_loaded()
                    if not batch.is_last:
                        # dlt's look-ups keep the frames that they were called from, and so the rows, in
                        # cycles; the collector by itself runs too seldom for so much.
                        gc.collect()

        load(inventory.take(on_listed=lambda: adapter.create_tables(pipeline)))
        for _ in range(ATTEMPTS_AGAIN):
            if inventory.overtaken:
                load(inventory.again(read_stored_state(pipeline)))
        load(inventory.given_up())
        if settings.with_shared:
            for warning in renew_views(pipeline, adapter, waivers):
                observe(warning)


def _compare(
    target: Target,
    settings: SyncSettings,
    opening_reader: AbstractContextManager[Reader],
    observe: events.Observer,
    tally: Tally,
) -> None:
    """Take the inventory for its counts alone."""
    file = target.duckdb_file
    with ExitStack() as stack:
        stored = StoredState()
        # DuckDB would create a file that is not there.
        if file is None or file.exists():
            pipeline, _ = stack.enter_context(open_for_reading(target))
            check_ownership(pipeline)
            stored = read_stored_state(pipeline)
        reader = stack.enter_context(opening_reader)
        for _ in Inventory(reader, stored, settings, observer=observe, sync_id=tally.sync_id).take():
            pass


def _open_reader_thread(settings: SyncSettings, observer: events.Observer) -> AbstractContextManager[Reader]:
    # Not at the top: the command line reads in another process, and never needs the HTTP libraries.
    from cloudflare_oauth.reading import open_reader_thread

    return open_reader_thread(settings, observer)


def _warn(observe: events.Observer, sentences: Iterator[str]) -> None:
    for sentence in sentences:
        observe(events.Warned(sentence, partial=False))
