"""Lists what Cloudflare holds and checks it, several requests at a time, in one event loop.

A listing is checked as soon as it is there, while the answers for others are on their way.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import anyio

from . import events
from .client import CloudflareClient, Usage
from .errors import CloudflareError
from .listing import Listing, list_all, list_catalogue, list_first_page
from .reader import AccountReading, Hashes, Settings
from .rows import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, CheckedListing, RowType

# Some milliseconds of work; then whoever has an answer, or a request to make, has a turn.
CHECKED_AT_ONCE = 250

NextAccount = Callable[[], Awaitable[tuple[str, Hashes] | None]]
"""Gives an account's id and what is stored of its clients; None when there are no more."""

HandOver = Callable[[AccountReading], Awaitable[None]]
"""Takes a reading, and with it the right to let the reader wait."""


class AsyncReader:
    """What `Reader` is, for one event loop."""

    def __init__(self, client: CloudflareClient, concurrency: int) -> None:
        self._client = client
        self._concurrency = concurrency

    async def accounts(self, known: Hashes) -> CheckedListing:
        """As `Reader` says."""
        subject = "the list of accounts"
        listing = await list_all(self._client, "/accounts", key="id", subject=subject, usage=Usage())
        return await _checked(ACCOUNT, listing, known)

    async def scopes(self, known: Hashes) -> CheckedListing:
        """As `Reader` says, but returns when they are there."""
        subject = "the catalogue of scopes"
        listing = await list_catalogue(
            self._client, "/oauth/scopes", key="id", subject=subject, usage=Usage()
        )
        return await _checked(OAUTH_SCOPE, listing, known)

    async def oauth_clients(self, next_account: NextAccount, hand_over: HandOver) -> None:
        """List the OAuth clients of every account and hand each reading over, as soon as it is there.

        Source: `GET /accounts/{account_id}/oauth_clients`.
        """

        async def read(account_id: str, usage: Usage, known: Hashes) -> CheckedListing:
            listing = await list_all(
                self._client,
                _clients_path(account_id),
                key="client_id",
                subject=f"account {account_id}",
                usage=usage,
                known=known,
            )
            return await _checked(OAUTH_CLIENT, listing, known)

        await self._each(next_account, read, hand_over)

    async def first_pages(self, account_ids: Iterable[str], hand_over: HandOver) -> None:
        """List the first page of each account's OAuth clients, to see whether it may be read.

        Source: `GET /accounts/{account_id}/oauth_clients`, one request each.
        """
        accounts: Iterable[tuple[str, Hashes]] = ((account_id, {}) for account_id in account_ids)

        async def read(account_id: str, usage: Usage, known: Hashes) -> CheckedListing:
            path, subject = _clients_path(account_id), f"account {account_id}"
            return await _checked(
                OAUTH_CLIENT,
                await list_first_page(self._client, path, subject=subject, usage=usage),
                known,
            )

        await self._each(each_of(accounts), read, hand_over)

    async def _each(
        self,
        next_account: NextAccount,
        read: Callable[[str, Usage, Hashes], Awaitable[CheckedListing]],
        hand_over: HandOver,
    ) -> None:
        async def work() -> None:
            # Each worker has one account at a time: thousands of accounts are still a few tasks.
            while account := await next_account():
                account_id, known = account
                usage, started_at = Usage(), datetime.now(UTC)
                outcome: CheckedListing | CloudflareError
                try:
                    outcome = await read(account_id, usage, known)
                except CloudflareError as error:
                    outcome = error
                await hand_over(
                    AccountReading(
                        account_id,
                        outcome,
                        usage.requests,
                        usage.retries,
                        usage.waited_seconds,
                        started_at,
                        datetime.now(UTC),
                    )
                )

        async with anyio.create_task_group() as workers:
            for _ in range(self._concurrency):
                workers.start_soon(work)


@asynccontextmanager
async def open_async_reader(settings: Settings, observer: events.Observer) -> AsyncIterator[AsyncReader]:
    """A reader in the event loop that runs, until the context ends."""
    async with CloudflareClient(
        settings.base_url,
        settings.credentials,
        concurrency=settings.concurrency,
        quota_share=settings.quota_share,
        limits=settings.limits,
        observer=observer,
    ) as client:
        yield AsyncReader(client, settings.concurrency)


def each_of(accounts: Iterable[tuple[str, Hashes]]) -> NextAccount:
    """Accounts that are there without waiting, for whoever asks for the next one."""
    waiting = iter(accounts)

    async def next_account() -> tuple[str, Hashes] | None:
        return next(waiting, None)

    return next_account


async def _checked(row_type: RowType, listing: Listing, known: Hashes) -> CheckedListing:
    found = []
    for number, item in enumerate(listing.items, start=1):
        found.append(row_type.check(item, known))
        if number % CHECKED_AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
    return CheckedListing.of(found, listing)


def _clients_path(account_id: str) -> str:
    return f"/accounts/{quote(account_id, safe='')}/oauth_clients"
