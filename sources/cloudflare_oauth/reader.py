"""What a reader is: it lists what Cloudflare holds, and checks it.

There are two: one reads on a thread (`reader_thread`), one in a process of its own (`reader_process`); both
do it as `async_reader` does. This module imports no HTTP library, so whoever leaves the reading to a process
need not load one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from . import events
from .connection import Credentials, Limits
from .errors import CloudflareError
from .rows import CheckedListing

LONGEST_SILENCE_SECONDS = 1.0

Hashes = Mapping[str, str]
"""What is stored of a listing: content hashes by key."""


@dataclass(frozen=True)
class AccountReading:
    """What came of reading one account: a listing, or the error that ended it."""

    account_id: str
    outcome: CheckedListing | CloudflareError
    requests: int
    retries: int
    waited_seconds: float
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a reader asks the API; as `CloudflareClient` says."""

    base_url: str
    credentials: Credentials
    concurrency: int
    quota_share: float
    limits: Limits | None = None


class Reader(Protocol):
    """Lists accounts, scopes and OAuth clients; to be used from any one thread."""

    def read_ahead(self, account_ids: Collection[str] | None, excluded: Collection[str]) -> None:
        """Begin to read what will be asked for, before it is known what is stored of it.

        To be asked before anything else. A part of it is read: what waits takes memory.

        Source: `GET /accounts`, `GET /accounts/{account_id}/oauth_clients`.

        Args:
            account_ids: the accounts; None reads every one that is listed.
            excluded: but not these.
        """

    def accounts(self, known: Hashes) -> CheckedListing:
        """List the accounts that the credentials see.

        Source: `GET /accounts`.

        Raises:
            CloudflareError: they cannot be listed.
        """

    def scopes(self, known: Hashes) -> Callable[[], CheckedListing]:
        """Begin to list the catalogue of scopes; what is returned waits for it, and may raise.

        Source: `GET /oauth/scopes`.
        """

    def oauth_clients(self, accounts: Iterable[tuple[str, Hashes]]) -> Iterator[AccountReading | None]:
        """List the OAuth clients of accounts, each account as soon as it has been read.

        The reading begins before the first of them is asked for, if the reader can. While there is nothing
        to tell, None comes once a second, so that nobody waits in the dark.

        Source: `GET /accounts/{account_id}/oauth_clients`.

        Args:
            accounts: ids, each with what is stored of the account's clients.
        """


OpenReader = Callable[[Settings, events.Observer], AbstractContextManager[Reader]]
