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

from .. import events
from ..errors import CloudflareError, ConfigurationError
from ..records.validation import CheckedListing
from ..settings import DEFAULT_CONCURRENCY, DEFAULT_QUOTA_SHARE, Connection, Limits

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
    """How a reader asks the API; as `CloudflareClient` says.

    Raises:
        ConfigurationError: a number is out of its range.
    """

    connection: Connection
    concurrency: int = DEFAULT_CONCURRENCY
    quota_share: float = DEFAULT_QUOTA_SHARE
    limits: Limits | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency is {self.concurrency}, but it has to be 1 or more.")
        if not 0 < self.quota_share <= 1:
            raise ConfigurationError(f"quota_share is {self.quota_share}, but it has to be above 0, up to 1.")


class Reader(Protocol):
    """Lists accounts, scopes and OAuth clients; to be used from any one thread."""

    def prefetch(self, excluded: Collection[str]) -> None:
        """Begin to read what will be asked for: the connection's accounts, but for those excluded.

        To be asked before anything else, and only while nobody else writes to the dataset: what is stored,
        but not listed, counts as deleted. A part of it is read: what waits takes memory.

        Source: `GET /accounts`, `GET /accounts/{account_id}/oauth_clients`.
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
