"""The protocol of a reader, and what it returns.

There are two readers: one on a thread (`thread`), one in a process of its own (`process`); both do what
`async_reader` does. This module imports no HTTP library, so that a process that leaves the reading to another
one need not load it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from .. import events
from ..errors import CloudflareError
from ..records import Rejection, Row
from ..resources import Resource
from ..settings import SyncSettings

LONGEST_SILENCE_SECONDS = 1.0

Hashes = Mapping[str, str]
"""What is stored of a listing: content hashes by key."""


@dataclass(frozen=True)
class CheckedListing:
    """A listing whose items are rows, or rejected; `problem` and `reported_total` as in `Listing`.

    `dropped` has the names of the fields that were left out because they may hold secrets.
    """

    rows: list[Row]
    rejections: list[Rejection]
    problem: str | None
    reported_total: int | None
    dropped: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        checked: list[Row | Rejection],
        dropped: Collection[str] = frozenset(),
        *,
        problem: str | None = None,
        reported_total: int | None = None,
    ) -> Self:
        """The checked items of a listing, in its order; of rows with one key, such as an account id in two
        spellings, the first.
        """
        rows: dict[str, Row] = {}
        for item in checked:
            if isinstance(item, Row):
                rows.setdefault(item.key, item)
        return cls(
            list(rows.values()),
            [item for item in checked if isinstance(item, Rejection)],
            problem,
            reported_total,
            frozenset(dropped),
        )

    @property
    def rejected_fields(self) -> list[Rejection]:
        """What could not be taken of the rows."""
        return [row.rejected_fields for row in self.rows if row.rejected_fields]

    def differs_from(self, known: Hashes) -> bool:
        """Whether anything else is stored than what was listed, as far as the listing can tell."""
        is_new = any(row.columns for row in self.rows)
        return is_new or bool(self.rejections) or {row.key for row in self.rows} != known.keys()

    @property
    def complete(self) -> bool:
        """Whether the items are proven to be all there are."""
        return self.problem is None

    @property
    def listed(self) -> int:
        """How many items there were."""
        return len(self.rows) + len(self.rejections)


@dataclass(frozen=True)
class AccountReading:
    """The outcome of reading one account: a listing, or the error that ended it; times in UTC."""

    account_id: str
    outcome: CheckedListing | CloudflareError
    requests: int
    retries: int
    waited_seconds: float
    started_at: datetime
    finished_at: datetime


class Reader(Protocol):
    """Lists resources; for use from one thread at a time."""

    def prefetch(self, *, others_may_write: bool) -> None:
        """Begin to read the accounts' OAuth clients before they are asked for, up to a bound of memory.

        Call it first.

        Source: `GET /accounts`, `GET /accounts/{account_id}/oauth_clients`.

        Args:
            others_may_write: whether another process may write to the dataset before what is stored has been
                read, so that a prefetched reading may be older than that. Then it is used only if nothing is
                stored of the account, or exactly what was read; any other account is read again.
        """

    def begin(self, resource: Resource, known: Hashes) -> Callable[[], CheckedListing]:
        """Begin to list a resource that belongs to no account.

        Returns:
            A function that waits for the listing and returns it, or raises `CloudflareError`.
        """

    def read_accounts(
        self, resource: Resource, accounts: Iterable[tuple[str, Hashes | None]]
    ) -> Iterator[AccountReading | None]:
        """List a resource of each account; yields each account as soon as it has been read.

        The reading begins at once, before the first result is asked for, if the reader can. While there is no
        result, it yields None once a second, so that the caller can report progress.

        Args:
            accounts: ids, each with the stored hashes of the account's items; None if the dataset has nothing
                of the account.
        """


OpenReader = Callable[[SyncSettings, events.Observer], AbstractContextManager[Reader]]
