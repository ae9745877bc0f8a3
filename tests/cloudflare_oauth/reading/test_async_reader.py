"""As many requests at once as were asked for, whatever they are for, and never more of anything."""

import anyio
import pytest

from cloudflare_oauth import events
from cloudflare_oauth.api.listing import PAGES_AT_ONCE
from cloudflare_oauth.reading.async_reader import each_of, open_async_reader
from cloudflare_oauth.reading.reader import AccountReading, Settings
from cloudflare_oauth_pipeline.fake_api import FakeApi, RateLimit, account_id
from tests.support.requests import LIMITS, connection_to


def read(api: FakeApi, accounts: list[str], concurrency: int) -> tuple[dict[str, int], int]:
    """How many clients each account has, and how many tasks there were at once, at most."""
    listed: dict[str, int] = {}
    most_tasks = 0

    async def hand_over(reading: AccountReading) -> None:
        nonlocal most_tasks
        most_tasks = max(most_tasks, len(anyio.get_running_tasks()))
        assert not isinstance(reading.outcome, Exception), reading.outcome
        listed[reading.account_id] = reading.outcome.listed

    async def run() -> None:
        settings = Settings(connection=connection_to(api), concurrency=concurrency, limits=LIMITS)
        async with open_async_reader(settings, events.ignore) as reader:
            await reader.oauth_clients(each_of((account, {}) for account in accounts), hand_over)

    anyio.run(run)
    return listed, most_tasks


@pytest.mark.parametrize("concurrency", [1, 6])
def test_accounts_are_read_at_the_same_time(api: FakeApi, concurrency: int) -> None:
    """So many requests are in flight, and never one more."""
    accounts = [account_id(number) for number in range(30)]
    for account in accounts:
        api.organisation.add(account, client_id="client")
    api.behaviour.latency_seconds = 0.02

    assert read(api, accounts, concurrency)[0] == dict.fromkeys(accounts, 1)

    assert api.requests.most_at_once() == concurrency


def test_the_pages_of_one_account_are_read_at_the_same_time(api: FakeApi) -> None:
    """As soon as they have proved to be real."""
    for number in range(1_000):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    api.behaviour.latency_seconds = 0.02

    assert read(api, [account_id("one")], 6)[0] == {account_id("one"): 1_000}

    assert len(api.requests) == 20
    assert api.requests.most_at_once() == 6


def test_other_accounts_are_read_while_one_says_how_many_pages_it_has(api: FakeApi) -> None:
    """Whose first page is on its way holds nobody up."""
    large, small = account_id("large"), [account_id(number) for number in range(5)]
    for number in range(100):
        api.organisation.add(large, client_id=f"client-{number}")
    for account in small:
        api.organisation.add(account, client_id="client")
    api.behaviour.latency_seconds = 0.15

    # The first request of all goes alone: nobody knows the quota yet.
    read(api, [small[0], large, *small[1:]], 6)

    first = api.requests.of(large)[0]
    assert first.answered_at
    assert all(api.requests.of(account)[0].time < first.answered_at for account in small)


def test_thousands_of_accounts_are_a_few_tasks_and_connections(api: FakeApi) -> None:
    """However many wait to be read."""
    accounts = [account_id(number) for number in range(2_000)]
    for account in accounts:
        api.organisation.add_account(account)
    # More than a fast machine asks within a second: nothing is to wait for the next window.
    api.behaviour.quota = RateLimit(10 * len(accounts), enforced=False)

    listed, most_tasks = read(api, accounts, 4)

    assert listed == dict.fromkeys(accounts, 0)
    assert most_tasks <= 4 * (1 + PAGES_AT_ONCE) + 2
    assert len({request.port for request in api.requests}) <= 4
