"""The reader on a thread of this process."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .. import events
from ..resources import Resource
from ..settings import SyncSettings
from .async_reader import AsyncReader, HandOver, each_of, open_async_reader
from .reader import LONGEST_SILENCE_SECONDS, AccountReading, CheckedListing, Hashes


class ThreadReader:
    """A `Reader` that sends requests and checks items on a thread of this process."""

    def __init__(self, portal: BlockingPortal, reader: AsyncReader) -> None:
        self._portal = portal
        self._reader = reader

    def prefetch(self, *, others_may_write: bool) -> None:
        """As in `Reader`."""
        self._portal.start_task(self._reader.prefetch, others_may_write)

    def begin(self, resource: Resource, known: Hashes) -> Callable[[], CheckedListing]:
        """As in `Reader`."""
        listing: Future[CheckedListing] = self._portal.start_task_soon(self._reader.read, resource, known)
        return listing.result

    def read_accounts(
        self, resource: Resource, accounts: Iterable[tuple[str, Hashes | None]]
    ) -> Iterator[AccountReading | None]:
        """As in `Reader`."""
        return self._handed_over(
            lambda hand_over: self._reader.read_accounts(resource, each_of(accounts), hand_over)
        )

    def first_pages(self, resource: Resource, account_ids: Iterable[str]) -> Iterator[AccountReading]:
        """List the first page of a resource of each account, to learn whether it may be read."""
        readings = self._handed_over(
            lambda hand_over: self._reader.first_pages(resource, account_ids, hand_over)
        )
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
            # Raises the error that ended the reading, if there was one.
            reading.result()
        finally:
            reading.cancel()
            receive.close()


@contextmanager
def open_reader_thread(settings: SyncSettings, observer: events.Observer) -> Iterator[ThreadReader]:
    """Run a reader on a thread of its own until the context ends."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_async_reader(settings, observer)) as reader,
    ):
        yield ThreadReader(portal, reader)
