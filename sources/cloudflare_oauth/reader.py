"""Reads every account's listing on a thread of its own, several requests at a time.

The thread does nothing but HTTP; what becomes of a listing is its consumer's work, which goes on
at the same time.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectSendStream

from .client import CloudflareClient, Usage
from .errors import CloudflareError
from .listing import Listing, list_all, list_catalogue, list_first_page

LONGEST_SILENCE_SECONDS = 1.0


@dataclass(frozen=True)
class AccountReading:
    """What came of reading one account: a listing, or the error that ended it."""

    account_id: str
    outcome: Listing | CloudflareError
    usage: Usage
    started_at: datetime
    finished_at: datetime


class Reader:
    """Lists accounts, scopes and OAuth clients; to be used from any one thread."""

    def __init__(self, portal: BlockingPortal, client: CloudflareClient, concurrency: int) -> None:
        self._portal = portal
        self._client = client
        self._concurrency = concurrency

    def accounts(self) -> Listing:
        """List the accounts that the credentials see.

        Source: `GET /accounts`.

        Raises:
            CloudflareError: they cannot be listed.
        """
        return self._portal.call(self._accounts)

    def scopes(self) -> "Future[Listing]":
        """Begin to list the catalogue of scopes; the future may raise a `CloudflareError`.

        Source: `GET /oauth/scopes`.
        """
        return self._portal.start_task_soon(self._scopes)

    def oauth_clients(
        self, account_ids: Iterable[str], known: Callable[[str], Collection[str]]
    ) -> Iterator[AccountReading | None]:
        """List the OAuth clients of accounts, each account as soon as it has been read.

        While there is nothing to tell, None comes once a second, so that nobody waits in the dark.

        Source: `GET /accounts/{account_id}/oauth_clients`.

        Args:
            known: ids of the clients that an account had before.
        """

        async def read(account_id: str, usage: Usage) -> Listing:
            return await list_all(
                self._client,
                _clients_path(account_id),
                key="client_id",
                subject=f"account {account_id}",
                usage=usage,
                known=known(account_id),
            )

        return self._each(account_ids, read)

    def first_pages(self, account_ids: Iterable[str]) -> Iterator[AccountReading]:
        """List the first page of each account's OAuth clients, to see whether it may be read.

        Source: `GET /accounts/{account_id}/oauth_clients`, one request each.
        """

        async def read(account_id: str, usage: Usage) -> Listing:
            path, subject = _clients_path(account_id), f"account {account_id}"
            return await list_first_page(self._client, path, subject=subject, usage=usage)

        return (reading for reading in self._each(account_ids, read) if reading is not None)

    def _each(
        self, account_ids: Iterable[str], read: Callable[[str, Usage], Awaitable[Listing]]
    ) -> Iterator[AccountReading | None]:
        send, receive = anyio.create_memory_object_stream[AccountReading](self._concurrency)
        reading = self._portal.start_task_soon(self._read_each, account_ids, read, send)

        async def next_reading() -> AccountReading | None:
            with anyio.move_on_after(LONGEST_SILENCE_SECONDS):
                return await receive.receive()
            return None

        try:
            while True:
                yield self._portal.call(next_reading)
        except anyio.EndOfStream:
            # Raises what ended the reading, if that was an error of ours.
            reading.result()
        finally:
            reading.cancel()
            receive.close()

    async def _read_each(
        self,
        account_ids: Iterable[str],
        read: Callable[[str, Usage], Awaitable[Listing]],
        send: MemoryObjectSendStream[AccountReading],
    ) -> None:
        waiting = iter(account_ids)

        async def work() -> None:
            # All workers draw from one iterator: thousands of accounts are still a few tasks.
            for account_id in waiting:
                usage, started_at = Usage(), datetime.now(UTC)
                outcome: Listing | CloudflareError
                try:
                    outcome = await read(account_id, usage)
                except CloudflareError as error:
                    outcome = error
                await send.send(AccountReading(account_id, outcome, usage, started_at, datetime.now(UTC)))

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
def open_reader(make_client: Callable[[], CloudflareClient], *, concurrency: int) -> Iterator[Reader]:
    """Run a client on a thread of its own until the context ends."""

    async def make() -> CloudflareClient:
        # In its own thread's event loop, to which its connections belong.
        return make_client()

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(make)) as client,
    ):
        yield Reader(portal, client, concurrency)
