"""Reads every account's listing on a thread of its own, while its consumer does something else."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .. import events
from ..records.validation import CheckedListing
from .async_reader import AsyncReader, HandOver, each_of, open_async_reader
from .reader import LONGEST_SILENCE_SECONDS, AccountReading, Hashes, Settings


class ThreadedReader:
    """A `Reader` whose requests are made, and their answers checked, on a thread of this process."""

    def __init__(self, portal: BlockingPortal, reader: AsyncReader) -> None:
        self._portal = portal
        self._reader = reader

    def prefetch(self, excluded: Collection[str]) -> None:
        """As `Reader` says."""
        self._portal.start_task(self._reader.prefetch, excluded)

    def accounts(self, known: Hashes) -> CheckedListing:
        """As `Reader` says."""
        return self._portal.call(self._reader.accounts, known)

    def scopes(self, known: Hashes) -> Callable[[], CheckedListing]:
        """As `Reader` says."""
        listing: Future[CheckedListing] = self._portal.start_task_soon(self._reader.scopes, known)
        return listing.result

    def oauth_clients(self, accounts: Iterable[tuple[str, Hashes]]) -> Iterator[AccountReading | None]:
        """As `Reader` says."""
        return self._handed_over(lambda hand_over: self._reader.oauth_clients(each_of(accounts), hand_over))

    def first_pages(self, account_ids: Iterable[str]) -> Iterator[AccountReading]:
        """List the first page of each account's OAuth clients, to see whether it may be read.

        Source: `GET /accounts/{account_id}/oauth_clients`, one request each.
        """
        readings = self._handed_over(lambda hand_over: self._reader.first_pages(account_ids, hand_over))
        return (reading for reading in readings if reading is not None)

    def _handed_over(self, read: Callable[[HandOver], Awaitable[None]]) -> Iterator[AccountReading | None]:
        # Without a buffer: every worker may hold an account already, and accounts may be large.
        send, receive = anyio.create_memory_object_stream[AccountReading]()

        async def read_and_close() -> None:
            async with send:
                await read(send.send)

        async def next_reading() -> AccountReading | None:
            with anyio.move_on_after(LONGEST_SILENCE_SECONDS):
                return await receive.receive()
            return None

        reading = self._portal.start_task_soon(read_and_close)
        try:
            while True:
                yield self._portal.call(next_reading)
        except anyio.EndOfStream:
            # Raises what ended the reading, if that was an error of ours.
            reading.result()
        finally:
            reading.cancel()
            receive.close()


@contextmanager
def open_reader_thread(settings: Settings, observer: events.Observer) -> Iterator[ThreadedReader]:
    """Run a reader on a thread of its own until the context ends."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_async_reader(settings, observer)) as reader,
    ):
        yield ThreadedReader(portal, reader)
