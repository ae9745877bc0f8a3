"""Lists resources and checks their items, several requests at a time, in one event loop.

A listing is checked as soon as it has arrived, while the responses for others are on their way.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskStatus

from .. import events
from ..api.client import CloudflareClient, Usage
from ..api.listing import Listing, Reading, list_all, list_first_page, list_one_response, read_once
from ..errors import CloudflareError
from ..resources import ACCOUNT, OAUTH_CLIENT, Resource
from ..settings import SyncSettings
from .prefetch import PendingAccount, PendingResult, Prefetch
from .reader import AccountReading, CheckedListing, Hashes

# Checking so many items takes some milliseconds; then the tasks that send requests get a turn.
CHECKED_AT_ONCE = 250

NextAccount = Callable[[], Awaitable[tuple[str, Hashes | None] | None]]
"""Returns the id of the next account with its stored hashes, if there are any; None after the last."""

HandOver = Callable[[AccountReading], Awaitable[None]]
"""Takes a reading; the reader waits until it returns."""


class AsyncReader:
    """A `Reader` for one event loop."""

    def __init__(self, client: CloudflareClient, settings: SyncSettings) -> None:
        self._client = client
        self._settings = settings
        self._accounts: PendingResult[Listing] | None = None
        self._prefetch = Prefetch(self._read_once)
        self._may_be_outdated = False

    async def prefetch(
        self, others_may_write: bool, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """As in `Reader`; for a task of its own, which reports that it has started."""
        self._may_be_outdated = others_may_write
        account_ids: Iterable[str] | None = self._settings.account_ids
        if account_ids is None:
            self._accounts = listing = PendingResult[Listing]()
            task_status.started()
            await listing.run(lambda: self._list(ACCOUNT, {}))
            try:
                accounts = await _checked(ACCOUNT, await listing.result(), {})
            except CloudflareError:
                # The caller gets the error when it asks for the accounts.
                return
            account_ids = [row.key for row in accounts.rows]
        else:
            task_status.started()
        excluded = self._settings.exclude_account_ids
        wanted = [account_id for account_id in account_ids if account_id not in excluded]
        await self._prefetch.run(wanted, at_once=self._settings.concurrency)

    async def read(self, resource: Resource, known: Hashes) -> CheckedListing:
        """List a resource that belongs to no account.

        Raises:
            CloudflareError: it cannot be listed.
        """
        if resource == ACCOUNT and self._accounts is not None:
            begun, self._accounts = self._accounts, None
            listing = await _checked(resource, await begun.result(), known)
            if not (self._may_be_outdated and known and listing.differs_from(known)):
                return listing
        return await _checked(resource, await self._list(resource, known), known)

    async def read_accounts(self, resource: Resource, next_account: NextAccount, hand_over: HandOver) -> None:
        """List a resource of each account and hand each reading over as soon as it is complete."""

        async def read(account_id: str, account: PendingAccount, stored: Hashes | None) -> CheckedListing:
            known = stored or {}

            async def read_now(first: Reading | None = None) -> CheckedListing:
                endpoint = resource.endpoint(account_id)
                listing = await list_all(self._client, endpoint, account.usage, known=known, first=first)
                return await _checked(resource, listing, known)

            if account.first is None:
                return await read_now()
            found = await read_now(await account.first.result())
            if self._may_be_outdated and stored is not None and found.differs_from(known):
                return await read_now()
            return found

        await self._each(next_account, read, hand_over)

    async def first_pages(self, resource: Resource, account_ids: Iterable[str], hand_over: HandOver) -> None:
        """List the first page of a resource of each account, to learn whether it may be read."""
        accounts: Iterable[tuple[str, Hashes | None]] = ((account_id, None) for account_id in account_ids)

        async def read(account_id: str, account: PendingAccount, _: Hashes | None) -> CheckedListing:
            endpoint = resource.endpoint(account_id)
            return await _checked(resource, await list_first_page(self._client, endpoint, account.usage), {})

        await self._each(each_of(accounts), read, hand_over)

    async def _each(
        self,
        next_account: NextAccount,
        read: Callable[[str, PendingAccount, Hashes | None], Awaitable[CheckedListing]],
        hand_over: HandOver,
    ) -> None:
        async def work() -> None:
            # Each worker has one account at a time, so thousands of accounts are still a few tasks.
            while wanted := await next_account():
                account_id, known = wanted
                account = self._prefetch.take(account_id)
                outcome: CheckedListing | CloudflareError
                try:
                    outcome = await read(account_id, account, known)
                except CloudflareError as error:
                    outcome = error
                await hand_over(
                    AccountReading(
                        account_id,
                        outcome,
                        account.usage.requests,
                        account.usage.retries,
                        account.usage.waited_seconds,
                        account.started_at,
                        datetime.now(UTC),
                    )
                )

        async with anyio.create_task_group() as workers:
            for _ in range(self._settings.concurrency):
                workers.start_soon(work)

    async def _list(self, resource: Resource, known: Hashes) -> Listing:
        if resource.in_one_response:
            return await list_one_response(self._client, resource.endpoint(), Usage(), known=known)
        return await list_all(self._client, resource.endpoint(), Usage())

    async def _read_once(self, account_id: str, usage: Usage) -> Reading:
        return await read_once(self._client, OAUTH_CLIENT.endpoint(account_id), usage)


@asynccontextmanager
async def open_async_reader(settings: SyncSettings, observer: events.Observer) -> AsyncIterator[AsyncReader]:
    """A reader in the running event loop, until the context ends."""
    async with CloudflareClient(settings, observer) as client:
        yield AsyncReader(client, settings)


def each_of(accounts: Iterable[tuple[str, Hashes | None]]) -> NextAccount:
    """A `NextAccount` over accounts that are there without waiting."""
    waiting = iter(accounts)

    async def next_account() -> tuple[str, Hashes | None] | None:
        return next(waiting, None)

    return next_account


async def _checked(resource: Resource, listing: Listing, known: Hashes) -> CheckedListing:
    checked = []
    dropped: set[str] = set()
    for number, item in enumerate(listing.items, start=1):
        checked.append(resource.check(item, known, dropped))
        if number % CHECKED_AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
    return CheckedListing.of(checked, dropped, problem=listing.problem, reported_total=listing.reported_total)
