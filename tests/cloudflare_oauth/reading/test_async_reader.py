"""The asynchronous reader keeps `concurrency` requests in flight, for accounts and pages alike."""

import anyio
import pytest

from cloudflare_oauth import events
from cloudflare_oauth.api.listing import PAGES_AT_ONCE
from cloudflare_oauth.reading.async_reader import each_of, open_async_reader
from cloudflare_oauth.reading.reader import AccountReading
from cloudflare_oauth.resources import OAUTH_CLIENT
from cloudflare_oauth_pipeline.fake_api import FakeApi, RateLimit, account_id
from tests.support.client_settings import settings_for


def read(api: FakeApi, accounts: list[str], concurrency: int) -> tuple[dict[str, int], int]:
    """Return the number of clients per account and the largest number of concurrent tasks."""
    listed: dict[str, int] = {}
    most_tasks = 0

    async def hand_over(reading: AccountReading) -> None:
        nonlocal most_tasks
        most_tasks = max(most_tasks, len(anyio.get_running_tasks()))
        assert not isinstance(reading.outcome, Exception), reading.outcome
        listed[reading.account_id] = reading.outcome.listed

    async def run() -> None:
        async with open_async_reader(settings_for(api, concurrency=concurrency), events.ignore) as reader:
            await reader.read_accounts(
                OAUTH_CLIENT, each_of((account, {}) for account in accounts), hand_over
            )

    anyio.run(run)
    return listed, most_tasks


@pytest.mark.parametrize("concurrency", [1, 6])
def test_accounts_are_read_concurrently(api: FakeApi, concurrency: int) -> None:
    """`concurrency` requests are in flight at once, and never one more."""
    accounts = [account_id(number) for number in range(30)]
    for account in accounts:
        api.organisation.add(account, client_id="client")
    api.behaviour.latency_seconds = 0.02

    assert read(api, accounts, concurrency)[0] == dict.fromkeys(accounts, 1)

    assert api.requests.most_at_once() == concurrency


def test_the_pages_of_one_account_are_read_concurrently(api: FakeApi) -> None:
    """The remaining pages are requested at once as soon as the server has proved that it pages."""
    for number in range(1_000):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    api.behaviour.latency_seconds = 0.02

    assert read(api, [account_id("one")], 6)[0] == {account_id("one"): 1_000}

    assert len(api.requests) == 20
    assert api.requests.most_at_once() == 6


def test_other_accounts_are_read_while_a_large_one_sends_its_first_page(api: FakeApi) -> None:
    """An account whose page count is not known yet does not block the others."""
    large, small = account_id("large"), [account_id(number) for number in range(5)]
    for number in range(100):
        api.organisation.add(large, client_id=f"client-{number}")
    for account in small:
        api.organisation.add(account, client_id="client")
    api.behaviour.latency_seconds = 0.15

    # The very first request goes alone, because the quota is not known yet.
    read(api, [small[0], large, *small[1:]], 6)

    first = api.requests.of(large)[0]
    assert first.answered_at
    assert all(api.requests.of(account)[0].time < first.answered_at for account in small)


def test_thousands_of_accounts_need_few_tasks_and_connections(api: FakeApi) -> None:
    """Both numbers depend on `concurrency`, not on the number of accounts."""
    accounts = [account_id(number) for number in range(2_000)]
    for account in accounts:
        api.organisation.add_account(account)
    # More than a fast machine sends within a second: no request has to wait for the next window.
    api.behaviour.quota = RateLimit(10 * len(accounts), enforced=False)

    listed, most_tasks = read(api, accounts, 4)

    assert listed == dict.fromkeys(accounts, 0)
    assert most_tasks <= 4 * (1 + PAGES_AT_ONCE) + 2
    # On a machine with much else to do, some are opened again.
    assert len({request.port for request in api.requests}) <= 4 * 4
