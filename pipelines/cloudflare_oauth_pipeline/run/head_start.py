"""Begins to read before dlt is imported, which takes as long as reading some thousand clients.

Only what is certain: which accounts to read, and into which DuckDB file. And only what stays true: should
somebody write to that file in between, what was read by then might be older than what is stored, and would
look like a change back. It is read anew.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudflare_oauth import events
from cloudflare_oauth.configuration import checked_account_ids, guess_connection
from cloudflare_oauth.reading import process as reader_process
from cloudflare_oauth.reading.reader import OpenReader, Reader, Settings

from ..destinations.target import DEFAULT_DB, Target

# What DuckDB writes into a new file as soon as it opens it.
BYTES_OF_AN_EMPTY_FILE = 12_288


def begin_to_read(
    target: Target,
    *,
    account_ids: Sequence[str] | None,
    exclude_account_ids: Sequence[str],
    concurrency: int,
    quota_share: float,
) -> OpenReader:
    """Let the process that reads begin, if nothing that only dlt knows can forbid it.

    Returns:
        What opens its reader, for when the dataset is held: then nobody else writes any more.

    Raises:
        CloudflareOAuthError, UsageError: what was given cannot be used.
    """
    connection = guess_connection(account_ids=account_ids)
    # Whether another destination can be used at all, dlt has to say.
    if connection is None or target.destination != "duckdb":
        return reader_process.open_reader_process
    file = target.db or DEFAULT_DB
    target.check_file(file)
    excluded = checked_account_ids(exclude_account_ids)
    head_start = _HeadStart(file, _state(file))
    if _is_in_use(file):
        # This sync is going to end as soon as it sees that, too.
        return reader_process.open_reader_process
    settings = Settings(connection=connection, concurrency=concurrency, quota_share=quota_share)
    try:
        reader_process.begin(settings, excluded)
    except OSError:
        # No process can be started now. If that is still so when it is needed, it will be told.
        return reader_process.open_reader_process
    return head_start.open_reader


@dataclass(frozen=True)
class _HeadStart:
    """The file that will be compared with what is read, and how it looked when that began."""

    file: Path
    state: object

    @contextmanager
    def open_reader(self, settings: Settings, observer: events.Observer) -> Iterator[Reader]:
        """As `open_reader_process`; what was read ahead is given up if it might be out of date."""
        if _state(self.file) != self.state:
            reader_process.give_up()
        with reader_process.open_reader_process(settings, observer) as reader:
            yield reader


def _state(file: Path) -> object:
    """What differs as soon as anything is written to a DuckDB file, or to the log beside it."""
    states: list[object] = []
    for part, bytes_of_nothing in ((file, BYTES_OF_AN_EMPTY_FILE), (Path(f"{file}.wal"), 0)):
        try:
            stat = part.stat()
        except OSError:
            states.append(None)
        else:
            is_empty = stat.st_size <= bytes_of_nothing
            states.append(None if is_empty else (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return states


def _is_in_use(file: Path) -> bool:
    """Whether another process keeps the DuckDB file from being opened, by DuckDB's lock on it.

    Only for a process that has not opened the file itself: it would lose its own locks. Where that cannot be
    known, nobody does; and what cannot be opened for writing counts as kept.
    """
    if os.name != "posix":
        return False
    import fcntl

    try:
        with file.open("rb+") as opened:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
