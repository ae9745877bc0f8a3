"""Begins to read before dlt is imported, which takes half a second.

Opening a DuckDB file takes much less. Once this process holds the file, no other process can write to it, so
what is read from then on cannot be older than what is stored.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cloudflare_oauth import SyncSettings, resolve_settings_without_dlt
from cloudflare_oauth.reading import (
    OpenReader,
    abandon_prefetch,
    open_reader_process,
    prefetch_in_process,
    start_reader_process,
)

from ..destinations.target import DEFAULT_DB, Target

# A process inherits only on POSIX the pipes that the reader process needs.
HAS_READER_PROCESS = os.name == "posix"


def start_early() -> None:
    """Start the reader process while this process reads its options."""
    if HAS_READER_PROCESS:
        try:
            start_reader_process()
        except OSError:
            # If no process can be started, the sync says so.
            return


@contextmanager
def begin_to_read(target: Target, settings: SyncSettings, *, dry_run: bool = False) -> Iterator[OpenReader]:
    """Hold the DuckDB file and begin to read, unless dlt's configuration may have something to add.

    Yields:
        What opens the reader.

    Raises:
        ConfigurationError: the file cannot hold the dataset.
    """
    if not HAS_READER_PROCESS:
        # Not at the top: where there is a reader process, this one never needs the HTTP libraries.
        from cloudflare_oauth.reading import open_reader_thread

        yield open_reader_thread
        return
    try:
        # What to resume is known only from the dataset, and a dry run must not create a file.
        may_begin = target.destination == "duckdb" and settings.resume_within is None and not dry_run
        resolved = resolve_settings_without_dlt(settings) if may_begin else None
        if resolved is None:
            yield open_reader_process
            return
        file = target.db or DEFAULT_DB
        target.check_file(file)
        # Not at the top: most commands never open a file.
        import duckdb

        try:
            held = duckdb.connect(str(file))
        except duckdb.Error:
            # The sync explains it.
            yield open_reader_process
            return
        with held:
            prefetch_in_process(resolved)
            yield open_reader_process
    finally:
        abandon_prefetch()
