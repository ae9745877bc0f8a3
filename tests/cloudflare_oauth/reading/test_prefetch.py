"""The prefetch is bounded, and starts no further account after the first `take`."""

from contextlib import suppress

import anyio
import pytest

from cloudflare_oauth.api.client import Usage
from cloudflare_oauth.api.listing import PER_PAGE, Reading
from cloudflare_oauth.errors import CloudflareError
from cloudflare_oauth.reading.prefetch import MAX_ITEMS, PendingResult, Prefetch

ACCOUNTS = [f"account-{number}" for number in range(1_000)]


def begun_of(items: int, *, at_once: int = 8) -> list[str]:
    """Return the accounts that a prefetch begins if each has that many clients and none is taken."""
    begun = []

    async def read(account_id: str, usage: Usage) -> Reading:
        begun.append(account_id)
        await anyio.lowlevel.checkpoint()
        return Reading(items=dict.fromkeys(range(items)))

    anyio.run(lambda: Prefetch(read).run(ACCOUNTS, at_once=at_once))
    return begun


@pytest.mark.parametrize("items", [0, 1, PER_PAGE, 3_000, 50_000])
def test_the_prefetch_begins_no_more_than_may_wait(items: int) -> None:
    """Accounts begin in order until enough clients wait; each counts as at least one page."""
    enough = -(-MAX_ITEMS // max(items, PER_PAGE))

    assert begun_of(items, at_once=1) == ACCOUNTS[:enough]
    assert enough <= len(begun_of(items, at_once=8)) <= enough + 7


def test_the_prefetch_begins_nothing_after_the_first_take() -> None:
    """From then on the caller decides what is read; accounts begun before are finished and returned once."""

    async def scenario() -> None:
        begun, goes_on = [], anyio.Event()

        async def read(account_id: str, usage: Usage) -> Reading:
            begun.append(account_id)
            usage.requests += 1
            await goes_on.wait()
            return Reading(items={account_id: {}})

        prefetch = Prefetch(read)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: prefetch.run(ACCOUNTS, at_once=2))
            await anyio.wait_all_tasks_blocked()
            first, second, third = (prefetch.take(account_id) for account_id in ACCOUNTS[:3])
            goes_on.set()
            for account, account_id in ((first, ACCOUNTS[0]), (second, ACCOUNTS[1])):
                assert account.first
                assert (await account.first.result()).items == {account_id: {}}
                assert account.usage.requests == 1

        assert third.first is None
        assert prefetch.take(ACCOUNTS[0]).first is None
        assert begun == ACCOUNTS[:2]

    anyio.run(scenario)


@pytest.mark.parametrize("error", [CloudflareError("refused"), ValueError("not expected")])
def test_an_error_is_kept_for_whatever_awaits_the_result(error: Exception) -> None:
    """Every `result()` raises it and none waits for ever; a defect of the program also ends the task."""

    async def scenario() -> None:
        begun = PendingResult[int]()

        async def fail() -> int:
            raise error

        with suppress(ValueError):
            await begun.run(fail)
            assert isinstance(error, CloudflareError)
        for _ in range(2):
            with anyio.fail_after(5), pytest.raises(type(error), match=str(error)):
                await begun.result()

    anyio.run(scenario)
