"""What is begun before anybody asks for it, because it surely will be asked for.

What is stored of a listing is known only when a dataset has been opened and read, which takes longer than
many listings do. Only their proof and their comparison have to wait for it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

import anyio

from ..api.client import Usage
from ..api.listing import PER_PAGE, Reading
from ..errors import CloudflareError

# What waits is held in memory, and was asked for in vain if the dataset cannot be opened.
MOST_ITEMS = 15_000

T = TypeVar("T")


class PendingResult(Generic[T]):
    """Something that was begun: its outcome, as soon as it is there."""

    def __init__(self) -> None:
        self._is_over = anyio.Event()
        self._outcome: T
        self._error: Exception | None = None

    async def run(self, get: Callable[[], Awaitable[T]]) -> None:
        """Get it, or keep the error for whoever wants the outcome."""
        try:
            self._outcome = await get()
        except CloudflareError as error:
            self._error = error
        except BaseException as error:
            # Ours to mend, or cancelled; but nobody is to wait for it for ever.
            self._error = error if isinstance(error, Exception) else CloudflareError("it was cut off")
            raise
        finally:
            self._is_over.set()

    async def outcome(self) -> T:
        """What came of it.

        Raises:
            CloudflareError: what getting it raised.
        """
        await self._is_over.wait()
        if self._error:
            raise self._error
        return self._outcome


@dataclass
class PendingAccount:
    """An account that is being read; `first` is the first reading of its listing, if it was begun ahead."""

    usage: Usage = field(default_factory=Usage)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    first: PendingResult[Reading] | None = None


class Prefetch:
    """First readings of accounts' listings, begun until somebody takes one or too much is waiting."""

    def __init__(self, read: Callable[[str, Usage], Awaitable[Reading]]) -> None:
        self._read = read
        self._accounts: dict[str, PendingAccount] = {}
        self._items = 0
        self._is_over = False

    async def begin(self, account_ids: Iterable[str], *, at_once: int) -> None:
        """Read these accounts in their order, so many at once."""
        waiting = iter(account_ids)

        async def work() -> None:
            for account_id in waiting:
                if self._is_over or self._items >= MOST_ITEMS:
                    return
                first = PendingResult[Reading]()
                account = self._accounts[account_id] = PendingAccount(first=first)
                await first.run(partial(self._counted, account_id, account.usage))

        async with anyio.create_task_group() as workers:
            for _ in range(at_once):
                workers.start_soon(work)

    def take(self, account_id: str) -> PendingAccount:
        """An account to read, as far as it was begun; no other one is begun from now on."""
        self._is_over = True
        return self._accounts.pop(account_id, None) or PendingAccount()

    async def _counted(self, account_id: str, usage: Usage) -> Reading:
        reading = await self._read(account_id, usage)
        # A small account costs as many requests as one full page.
        self._items += max(len(reading.items), PER_PAGE)
        return reading
