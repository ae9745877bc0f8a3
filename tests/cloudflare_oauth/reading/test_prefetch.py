"""What is read ahead is bounded, and begins nothing any more once somebody asks."""

from contextlib import suppress

import anyio
import pytest

from cloudflare_oauth.api.client import Usage
from cloudflare_oauth.api.listing import PER_PAGE, Reading
from cloudflare_oauth.errors import CloudflareError
from cloudflare_oauth.reading.prefetch import MOST_ITEMS, PendingResult, Prefetch

ACCOUNTS = [f"account-{number}" for number in range(1_000)]


def begun_of(items: int, *, at_once: int = 8) -> list[str]:
    """The accounts that are begun, if each has so many clients and nobody takes one."""
    begun = []

    async def read(account_id: str, usage: Usage) -> Reading:
        begun.append(account_id)
        await anyio.lowlevel.checkpoint()
        return Reading(items=dict.fromkeys(range(items)))

    anyio.run(lambda: Prefetch(read).begin(ACCOUNTS, at_once=at_once))
    return begun


@pytest.mark.parametrize("items", [0, 1, PER_PAGE, 3_000, 50_000])
def test_no_more_is_begun_than_may_wait(items: int) -> None:
    """Accounts are begun in their order until enough waits; small ones count for the request they cost."""
    enough = -(-MOST_ITEMS // max(items, PER_PAGE))

    assert begun_of(items, at_once=1) == ACCOUNTS[:enough]
    assert enough <= len(begun_of(items, at_once=8)) <= enough + 7


def test_nothing_is_begun_once_somebody_asks() -> None:
    """From then on, whoever asks decides what is read; what had been begun is finished and given once."""

    async def scenario() -> None:
        begun, goes_on = [], anyio.Event()

        async def read(account_id: str, usage: Usage) -> Reading:
            begun.append(account_id)
            usage.requests += 1
            await goes_on.wait()
            return Reading(items={account_id: {}})

        ahead = Prefetch(read)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: ahead.begin(ACCOUNTS, at_once=2))
            await anyio.wait_all_tasks_blocked()
            first, second, third = (ahead.take(account_id) for account_id in ACCOUNTS[:3])
            goes_on.set()
            for account, account_id in ((first, ACCOUNTS[0]), (second, ACCOUNTS[1])):
                assert account.first
                assert (await account.first.outcome()).items == {account_id: {}}
                assert account.usage.requests == 1

        assert third.first is None
        assert ahead.take(ACCOUNTS[0]).first is None
        assert begun == ACCOUNTS[:2]

    anyio.run(scenario)


@pytest.mark.parametrize("error", [CloudflareError("refused"), ValueError("not expected")])
def test_an_error_waits_for_who_wants_the_outcome(error: Exception) -> None:
    """It is raised there, each time; nobody waits for ever. What is ours to mend also ends the task."""

    async def scenario() -> None:
        begun = PendingResult[int]()

        async def fail() -> int:
            raise error

        with suppress(ValueError):
            await begun.run(fail)
            assert isinstance(error, CloudflareError)
        for _ in range(2):
            with anyio.fail_after(5), pytest.raises(type(error), match=str(error)):
                await begun.outcome()

    anyio.run(scenario)
