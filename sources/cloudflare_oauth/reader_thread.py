"""Reads every account's listing on a thread of its own, several requests at a time.

The thread does nothing but HTTP; what becomes of a listing is its consumer's work, which goes on
at the same time.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectSendStream

from . import events
from .client import CloudflareClient, Usage
from .errors import CloudflareError
from .listing import Listing, list_all, list_catalogue, list_first_page
from .reader import AccountReading, Hashes, Settings
from .rows import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, CheckedListing

LONGEST_SILENCE_SECONDS = 1.0


class _Read(NamedTuple):
    """What the thread hands over."""

    account_id: str
    known: Hashes
    outcome: Listing | CloudflareError
    usage: Usage
    started_at: datetime
    finished_at: datetime

    def checked(self) -> AccountReading:
        outcome = self.outcome
        return AccountReading(
            self.account_id,
            outcome if isinstance(outcome, CloudflareError) else OAUTH_CLIENT.checked(outcome, self.known),
            self.usage.requests,
            self.usage.retries,
            self.usage.waited_seconds,
            self.started_at,
            self.finished_at,
        )


class ThreadedReader:
    """A `Reader` whose requests are made on a thread of this process."""

    def __init__(self, portal: BlockingPortal, client: CloudflareClient, concurrency: int) -> None:
        self._portal = portal
        self._client = client
        self._concurrency = concurrency

    def accounts(self, known: Hashes) -> CheckedListing:
        """As `reader.Reader` says."""
        return ACCOUNT.checked(self._portal.call(self._accounts), known)

    def scopes(self, known: Hashes) -> Callable[[], CheckedListing]:
        """As `reader.Reader` says."""
        listing: Future[Listing] = self._portal.start_task_soon(self._scopes)
        return lambda: OAUTH_SCOPE.checked(listing.result(), known)

    def oauth_clients(self, accounts: Iterable[tuple[str, Hashes]]) -> Iterator[AccountReading | None]:
        """As `reader.Reader` says."""

        async def read(account_id: str, usage: Usage, known: Hashes) -> Listing:
            return await list_all(
                self._client,
                _clients_path(account_id),
                key="client_id",
                subject=f"account {account_id}",
                usage=usage,
                known=known,
            )

        return self._each(accounts, read)

    def first_pages(self, account_ids: Iterable[str]) -> Iterator[AccountReading]:
        """List the first page of each account's OAuth clients, to see whether it may be read.

        Source: `GET /accounts/{account_id}/oauth_clients`, one request each.
        """

        async def read(account_id: str, usage: Usage, _: Hashes) -> Listing:
            path, subject = _clients_path(account_id), f"account {account_id}"
            return await list_first_page(self._client, path, subject=subject, usage=usage)

        accounts: Iterator[tuple[str, Hashes]] = ((account_id, {}) for account_id in account_ids)
        return (reading for reading in self._each(accounts, read) if reading is not None)

    def _each(
        self,
        accounts: Iterable[tuple[str, Hashes]],
        read: Callable[[str, Usage, Hashes], Awaitable[Listing]],
    ) -> Iterator[AccountReading | None]:
        # Without a buffer: every worker may hold an account already, and accounts may be large.
        send, receive = anyio.create_memory_object_stream[_Read]()
        reading = self._portal.start_task_soon(self._read_each, accounts, read, send)

        async def next_read() -> _Read | None:
            with anyio.move_on_after(LONGEST_SILENCE_SECONDS):
                return await receive.receive()
            return None

        try:
            while True:
                one = self._portal.call(next_read)
                yield one and one.checked()
        except anyio.EndOfStream:
            # Raises what ended the reading, if that was an error of ours.
            reading.result()
        finally:
            reading.cancel()
            receive.close()

    async def _read_each(
        self,
        accounts: Iterable[tuple[str, Hashes]],
        read: Callable[[str, Usage, Hashes], Awaitable[Listing]],
        send: MemoryObjectSendStream[_Read],
    ) -> None:
        waiting = iter(accounts)

        async def work() -> None:
            # All workers draw from one iterator: thousands of accounts are still a few tasks.
            for account_id, known in waiting:
                usage, started_at = Usage(), datetime.now(UTC)
                outcome: Listing | CloudflareError
                try:
                    outcome = await read(account_id, usage, known)
                except CloudflareError as error:
                    outcome = error
                await send.send(_Read(account_id, known, outcome, usage, started_at, datetime.now(UTC)))

        async with send, anyio.create_task_group() as workers:
            for _ in range(self._concurrency):
                workers.start_soon(work)

    async def _accounts(self) -> Listing:
        subject = "the list of accounts"
        return await list_all(self._client, "/accounts", key="id", subject=subject, usage=Usage())

    async def _scopes(self) -> Listing:
        subject = "the catalogue of scopes"
        return await list_catalogue(self._client, "/oauth/scopes", key="id", subject=subject, usage=Usage())


def _clients_path(account_id: str) -> str:
    return f"/accounts/{quote(account_id, safe='')}/oauth_clients"


@contextmanager
def open_reader_thread(settings: Settings, observer: events.Observer) -> Iterator[ThreadedReader]:
    """Run a client on a thread of its own until the context ends."""

    async def make_client() -> CloudflareClient:
        # In its own thread's event loop, to which its connections belong.
        return CloudflareClient(
            settings.base_url,
            settings.credentials,
            concurrency=settings.concurrency,
            quota_share=settings.quota_share,
            limits=settings.limits,
            observer=observer,
        )

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(make_client)) as client,
    ):
        yield ThreadedReader(portal, client, settings.concurrency)
