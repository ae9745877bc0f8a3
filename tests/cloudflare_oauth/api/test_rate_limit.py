"""Promise 8: requests never exceed Cloudflare's quota, leave its reserve to other tools, and use the rest."""

import time

import anyio
import pytest

from cloudflare_oauth import events
from cloudflare_oauth.api.client import CloudflareClient, Usage
from cloudflare_oauth.api.endpoint import Endpoint
from cloudflare_oauth.api.rate_limit import RateLimit
from cloudflare_oauth.errors import RequestFailedError
from cloudflare_oauth_pipeline.fake_api import FakeApi
from cloudflare_oauth_pipeline.fake_api import rate_limit as quota
from tests.support.client_settings import settings_for


def ask(api: FakeApi, requests: int, *, share: float = 0.9, concurrency: int = 8) -> list[events.Waiting]:
    """Request that many pages concurrently; returns the waits that were reported."""
    waits: list[events.Waiting] = []

    def observe(event: events.Event) -> None:
        if isinstance(event, events.Waiting):
            waits.append(event)

    async def run() -> None:
        async with (
            CloudflareClient(
                settings_for(api, concurrency=concurrency, quota_share=share), observe
            ) as client,
            anyio.create_task_group() as tasks,
        ):
            for page in range(1, requests + 1):
                tasks.start_soon(_get, client, page)

    anyio.run(run)
    return waits


async def _get(client: CloudflareClient, page: int) -> None:
    await client.get(Endpoint(path="/accounts", subject="accounts"), {"page": page}, Usage())


@pytest.mark.variants(3)
@pytest.mark.parametrize(("share", "allowed"), [(0.9, 36), (0.5, 20), (1.0, 40)])
@pytest.mark.parametrize("concurrency", [8, 64])
def test_an_enforced_quota_is_used_and_never_exceeded(
    api: FakeApi, share: float, allowed: int, concurrency: int
) -> None:
    """With 40 requests per 2 seconds: no violation, and every full window uses at least 85 % of the share."""
    enforced = api.behaviour.quota = quota.RateLimit(40, 2)

    waits = ask(api, 2 * allowed + 5, share=share, concurrency=concurrency)

    assert enforced.violations == []
    assert all(used <= allowed for used in enforced.windows)
    assert all(used >= 0.85 * allowed for used in enforced.windows[:-1])
    assert len(enforced.windows) == 3
    assert len(waits) == 2
    assert all("kept for your other tools" in wait.reason and 0.5 < wait.seconds < 2.5 for wait in waits)


def test_requests_of_other_tools_count_against_the_quota(api: FakeApi) -> None:
    """The quota belongs to the user, not to the program."""
    enforced = api.behaviour.quota = quota.RateLimit(40, 2, used_by_others=20)

    ask(api, 30)

    assert enforced.violations == []
    # On a busy machine, the last one comes after the window.
    assert enforced.windows[0] in (15, 16)


def test_a_quota_used_up_by_other_tools_slows_the_program_to_one_request_per_window(api: FakeApi) -> None:
    """The first request reveals it; one request per window keeps making progress without a violation."""
    enforced = api.behaviour.quota = quota.RateLimit(10, 1, used_by_others=8)

    ask(api, 3)

    assert enforced.violations == []
    assert enforced.windows == [1, 1, 1]


def test_requests_do_not_wait_while_the_window_has_room(api: FakeApi) -> None:
    """300 requests of a quota of 1,200 are sent at full speed."""
    api.behaviour.quota = quota.RateLimit(1200, 300)

    assert ask(api, 300) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": None, "ratelimit-policy": None},
        {"ratelimit": "50;r", "ratelimit-policy": ";;;"},
        {"ratelimit": '"default";r="many";t=1', "ratelimit-policy": '"default";q=40'},
        {"ratelimit": '"default"', "ratelimit-policy": None},
    ],
)
def test_absent_or_malformed_headers_do_not_delay_requests(
    api: FakeApi, headers: dict[str, str | None]
) -> None:
    """Cloudflare's documented quota applies instead, which 50 requests do not reach."""
    api.behaviour.headers = headers

    assert ask(api, 50) == []


def test_without_headers_the_documented_quota_applies() -> None:
    """Of 1,200 requests per 300 seconds 1,080 are sent; the next waits until the first is 300 seconds old."""
    waits: list[float] = []

    async def run() -> None:
        gate = RateLimit(on_wait=lambda seconds, reason: waits.append(seconds))
        started = time.monotonic()
        for _ in range(1080):
            async with gate.request():
                pass
            gate.learn({})
        assert time.monotonic() - started < 5
        with anyio.move_on_after(0.1) as late:
            async with gate.request():
                pass
        assert late.cancelled_caught

    anyio.run(run)
    assert len(waits) == 1
    assert 290 < waits[0] <= 301


def test_two_quotas_apply_at_once() -> None:
    """The quota with fewer requests left decides."""

    async def run() -> int:
        gate, made = RateLimit(), 0
        with anyio.move_on_after(0.2):
            for left in range(30, 0, -1):
                async with gate.request():
                    made += 1
                gate.learn(
                    {
                        "ratelimit": f'"hour";r=900;t=3000, "burst";r={left};t=9',
                        "ratelimit-policy": '"hour";q=1000;w=3600, "burst";q=40;w=10',
                    }
                )
        return made

    assert anyio.run(run) == 27


def held_back(gate: RateLimit) -> bool:
    """Whether the rate limit now blocks requests."""

    async def run() -> bool:
        with anyio.move_on_after(0.1) as late:
            async with gate.request():
                pass
        return late.cancelled_caught

    return anyio.run(run)


def test_the_end_of_one_window_does_not_open_another() -> None:
    """One endpoint once reported a quota of its own; the reserve of the default quota is still kept."""
    gate = RateLimit()
    gate.learn({"ratelimit": '"scopes";r=900;t=0', "ratelimit-policy": '"scopes";q=1000;w=1'})
    assert not held_back(gate)
    gate.learn({"ratelimit": '"default";r=130;t=200', "ratelimit-policy": '"default";q=1200;w=300'})
    assert not held_back(gate)

    gate.learn({"ratelimit": '"default";r=120;t=200', "ratelimit-policy": '"default";q=1200;w=300'})

    assert held_back(gate)


def test_the_documented_quota_applies_when_headers_stop() -> None:
    """It applies as soon as the reported windows are over."""
    gate = RateLimit()
    gate.learn({"ratelimit": '"default";r=900;t=0', "ratelimit-policy": '"default";q=1200;w=300'})

    async def run() -> None:
        for _ in range(1_080):
            async with gate.request():
                pass
            gate.learn({})

    anyio.run(run)

    assert held_back(gate)


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"day";r=0;t=80000', "ratelimit-policy": '"day";q=5000;w=86400'},
        {"ratelimit": '"default";r=0;t=999999999999', "ratelimit-policy": None},
    ],
)
def test_a_wait_beyond_cloudflares_own_window_ends_every_request(
    api: FakeApi, headers: dict[str, str | None]
) -> None:
    """Every remaining request fails unsent, with the length of the wait and its reason."""
    api.behaviour.headers = headers
    told = []

    async def get(client: CloudflareClient, page: int) -> None:
        try:
            await _get(client, page)
        except RequestFailedError as error:
            told.append(str(error))

    async def run() -> None:
        async with (
            CloudflareClient(settings_for(api)) as client,
            anyio.create_task_group() as tasks,
        ):
            for page in range(1, 101):
                tasks.start_soon(get, client, page)

    anyio.run(run)

    assert len(api.requests) == 1
    assert len(told) == 99
    assert "accounts: no request may be made for " in told[0]
    assert "0 of " in told[0]
