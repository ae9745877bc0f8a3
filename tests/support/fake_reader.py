"""A reader that lists from memory: the `Reader` protocol without network, threads or processes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudflare_oauth.errors import CloudflareError
from cloudflare_oauth.reading.reader import AccountReading, CheckedListing, Hashes
from cloudflare_oauth.resources import Resource

Items = list[Any]

READ_AT = (datetime(2026, 6, 3, 9, 0, tzinfo=UTC), datetime(2026, 6, 3, 9, 1, tzinfo=UTC))


@dataclass
class FakeReader:
    """Lists what these attributes hold, checked as a real reader checks it.

    Attributes:
        accounts: the items of `GET /accounts`, or the error it ends with.
        clients: the items of each account's listing, or the error it ends with.
        scopes: the items of the catalogue, or the error it ends with.
        problems: why a listing is not proven whole, by account id or by table.
        silences: how often None is yielded before each account.
        asked: what was asked of the reader, in order.
    """

    accounts: Items | CloudflareError = field(default_factory=list)
    clients: dict[str, Items | CloudflareError] = field(default_factory=dict)
    scopes: Items | CloudflareError = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    silences: int = 0
    asked: list[str] = field(default_factory=list)

    def prefetch(self, *, others_may_write: bool) -> None:
        """Everything is in memory already."""
        self.asked.append("prefetch")

    def begin(self, resource: Resource, known: Hashes) -> Callable[[], CheckedListing]:
        """List the accounts or the scopes."""
        self.asked.append(f"begin {resource.table}")
        found = self.accounts if resource.table == "accounts" else self.scopes

        def wait() -> CheckedListing:
            self.asked.append(f"wait for {resource.table}")
            if isinstance(found, CloudflareError):
                raise found
            return self._checked(resource, found, known, resource.table)

        return wait

    def read_accounts(
        self, resource: Resource, accounts: Iterable[tuple[str, Hashes | None]]
    ) -> Iterator[AccountReading | None]:
        """Read each account, with one request and one retry."""
        self.asked.append("read accounts")
        return self._readings(resource, accounts)

    def _readings(
        self, resource: Resource, accounts: Iterable[tuple[str, Hashes | None]]
    ) -> Iterator[AccountReading | None]:
        for account_id, known in accounts:
            yield from [None] * self.silences
            self.asked.append(f"read {account_id}")
            found = self.clients.get(account_id, [])
            outcome = (
                found
                if isinstance(found, CloudflareError)
                else self._checked(resource, found, known or {}, account_id)
            )
            yield AccountReading(account_id, outcome, 2, 1, 0.1234567, *READ_AT)

    def _checked(self, resource: Resource, items: Items, known: Hashes, name: str) -> CheckedListing:
        dropped: set[str] = set()
        checked = [resource.check(item, known, dropped) for item in items]
        return CheckedListing.of(checked, dropped, problem=self.problems.get(name), reported_total=len(items))
