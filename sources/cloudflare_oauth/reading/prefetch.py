"""Readings that are begun before they are asked for, because they surely will be.

What is stored of a listing is known only when the dataset has been opened and read, which takes longer than
many listings do. Only the proof and the comparison of a listing have to wait for it.
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

# Waiting readings take memory, and were in vain if the dataset cannot be opened.
MAX_ITEMS = 15_000

T = TypeVar("T")


class PendingResult(Generic[T]):
    """A result that is being produced by a task, for another task to wait for."""

    def __init__(self) -> None:
        self._is_over = anyio.Event()
        self._result: T
        self._error: Exception | None = None

    async def run(self, produce: Callable[[], Awaitable[T]]) -> None:
        """Produce the result; a `CloudflareError` is kept for the task that waits."""
        try:
            self._result = await produce()
        except CloudflareError as error:
            self._error = error
        except BaseException as error:
            # A defect or a cancellation; the waiting task must not wait for ever.
            self._error = error if isinstance(error, Exception) else CloudflareError("it was cut off")
            raise
        finally:
            self._is_over.set()

    async def result(self) -> T:
        """Wait for the result.

        Raises:
            CloudflareError: raised by its producer.
        """
        await self._is_over.wait()
        if self._error:
            raise self._error
        return self._result


@dataclass
class PendingAccount:
    """An account that is being read; `first` is the first reading of its listing, if it was prefetched."""

    usage: Usage = field(default_factory=Usage)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    first: PendingResult[Reading] | None = None


class Prefetch:
    """Reads accounts' listings for the first time, until one is taken or too many items are waiting."""

    def __init__(self, read: Callable[[str, Usage], Awaitable[Reading]]) -> None:
        self._read = read
        self._accounts: dict[str, PendingAccount] = {}
        self._items = 0
        self._is_over = False

    async def run(self, account_ids: Iterable[str], *, at_once: int) -> None:
        """Read these accounts in order, `at_once` at a time."""
        waiting = iter(account_ids)

        async def work() -> None:
            for account_id in waiting:
                if self._is_over or self._items >= MAX_ITEMS:
                    return
                first = PendingResult[Reading]()
                account = self._accounts[account_id] = PendingAccount(first=first)
                await first.run(partial(self._counted, account_id, account.usage))

        async with anyio.create_task_group() as workers:
            for _ in range(at_once):
                workers.start_soon(work)

    def take(self, account_id: str) -> PendingAccount:
        """An account, as far as it has been read; from now on no other one is begun."""
        self._is_over = True
        return self._accounts.pop(account_id, None) or PendingAccount()

    async def _counted(self, account_id: str, usage: Usage) -> Reading:
        reading = await self._read(account_id, usage)
        # A small account costs as many requests as one full page.
        self._items += max(len(reading.items), PER_PAGE)
        return reading
