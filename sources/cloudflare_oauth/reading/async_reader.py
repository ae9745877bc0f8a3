"""Lists what Cloudflare holds and checks it, several requests at a time, in one event loop.

A listing is checked as soon as it is there, while the answers for others are on their way.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import anyio
from anyio.abc import TaskStatus

from .. import events
from ..api.client import CloudflareClient, Usage
from ..api.listing import Listing, Reading, list_all, list_catalogue, list_first_page, read_once
from ..errors import CloudflareError
from ..records.validation import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, CheckedListing, RowType
from .prefetch import PendingAccount, PendingResult, Prefetch
from .reader import AccountReading, Hashes, Settings

# Some milliseconds of work; then whoever has an answer, or a request to make, has a turn.
CHECKED_AT_ONCE = 250

NextAccount = Callable[[], Awaitable[tuple[str, Hashes] | None]]
"""Gives an account's id and what is stored of its clients; None when there are no more."""

HandOver = Callable[[AccountReading], Awaitable[None]]
"""Takes a reading, and with it the right to let the reader wait."""


class AsyncReader:
    """What `Reader` is, for one event loop."""

    def __init__(self, client: CloudflareClient, settings: Settings) -> None:
        self._client = client
        self._account_ids = settings.connection.account_ids
        self._concurrency = settings.concurrency
        self._accounts_ahead: PendingResult[Listing] | None = None
        self._ahead = Prefetch(self._read_once)

    async def prefetch(
        self,
        excluded: Collection[str],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """As `Reader` says; for a task of its own, which has started when the next question may come."""
        account_ids: Iterable[str] | None = self._account_ids
        if account_ids is None:
            self._accounts_ahead = listing = PendingResult[Listing]()
            task_status.started()
            await listing.run(self._list_accounts)
            try:
                accounts = await _checked(ACCOUNT, await listing.outcome(), {})
            except CloudflareError:
                # It is raised where the accounts are asked for.
                return
            account_ids = [row.key for row in accounts.rows]
        else:
            task_status.started()
        wanted = [account_id for account_id in account_ids if account_id not in excluded]
        await self._ahead.begin(wanted, at_once=self._concurrency)

    async def accounts(self, known: Hashes) -> CheckedListing:
        """As `Reader` says."""
        begun, self._accounts_ahead = self._accounts_ahead, None
        listing = await (begun.outcome() if begun else self._list_accounts())
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

        async def read(account_id: str, account: PendingAccount, known: Hashes) -> CheckedListing:
            listing = await list_all(
                self._client,
                _clients_path(account_id),
                key="client_id",
                subject=_subject(account_id),
                usage=account.usage,
                known=known,
                first=await account.first.outcome() if account.first else None,
            )
            return await _checked(OAUTH_CLIENT, listing, known)

        await self._each(next_account, read, hand_over)

    async def first_pages(self, account_ids: Iterable[str], hand_over: HandOver) -> None:
        """List the first page of each account's OAuth clients, to see whether it may be read.

        Source: `GET /accounts/{account_id}/oauth_clients`, one request each.
        """
        accounts: Iterable[tuple[str, Hashes]] = ((account_id, {}) for account_id in account_ids)

        async def read(account_id: str, account: PendingAccount, known: Hashes) -> CheckedListing:
            listing = await list_first_page(
                self._client,
                _clients_path(account_id),
                subject=_subject(account_id),
                usage=account.usage,
            )
            return await _checked(OAUTH_CLIENT, listing, known)

        await self._each(each_of(accounts), read, hand_over)

    async def _each(
        self,
        next_account: NextAccount,
        read: Callable[[str, PendingAccount, Hashes], Awaitable[CheckedListing]],
        hand_over: HandOver,
    ) -> None:
        async def work() -> None:
            # Each worker has one account at a time: thousands of accounts are still a few tasks.
            while wanted := await next_account():
                account_id, known = wanted
                account = self._ahead.take(account_id)
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
            for _ in range(self._concurrency):
                workers.start_soon(work)

    async def _list_accounts(self) -> Listing:
        subject = "the list of accounts"
        return await list_all(self._client, "/accounts", key="id", subject=subject, usage=Usage())

    async def _read_once(self, account_id: str, usage: Usage) -> Reading:
        path, subject = _clients_path(account_id), _subject(account_id)
        return await read_once(self._client, path, key="client_id", subject=subject, usage=usage)


@asynccontextmanager
async def open_async_reader(settings: Settings, observer: events.Observer) -> AsyncIterator[AsyncReader]:
    """A reader in the event loop that runs, until the context ends."""
    async with CloudflareClient(
        settings.connection,
        concurrency=settings.concurrency,
        quota_share=settings.quota_share,
        limits=settings.limits,
        observer=observer,
    ) as client:
        yield AsyncReader(client, settings)


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


def _subject(account_id: str) -> str:
    return f"account {account_id}"


def _clients_path(account_id: str) -> str:
    return f"/accounts/{quote(account_id, safe='')}/oauth_clients"
