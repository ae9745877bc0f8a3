"""The rate limit of the fake API: windows, blocks and headers."""

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, RateLimit


class Clock:
    """A clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock at 1000 seconds."""
    return Clock()


def test_by_default_the_rate_limit_is_never_reached(api: FakeApi, http: httpx.Client) -> None:
    """Every response has Cloudflare's headers, even errors."""
    for path in ("/accounts", "/oauth/scopes", "/nowhere"):
        headers = http.get(path).headers
        assert headers["ratelimit"] == '"default";r=1200;t=300'
        assert headers["ratelimit-policy"] == '"default";q=1200;w=300'
        assert "retry-after" not in headers
    assert api.behaviour.quota.violations == []


def test_the_headers_count_down(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """`r` is what is left and `t` the seconds until the window ends; the next window starts in full."""
    api.behaviour.quota = RateLimit(3, 10, clock=clock)

    headers = []
    for seconds in (0, 2.5, 7.4, 0.1):
        clock.seconds += seconds
        headers.append(http.get("/accounts").headers["ratelimit"])

    assert headers == ['"default";r=2;t=10', '"default";r=1;t=8', '"default";r=0;t=1', '"default";r=2;t=10']
    assert api.behaviour.quota.windows == [3, 1]
    assert api.behaviour.quota.violations == []


def test_exceeding_the_limit_is_a_429_until_the_window_ends(
    api: FakeApi, http: httpx.Client, clock: Clock
) -> None:
    """After `Retry-After` seconds requests are served again; `windows` leaves out refused requests."""
    api.behaviour.quota = RateLimit(2, 10, clock=clock)
    http.get("/accounts")
    clock.seconds += 4
    http.get("/accounts")

    refused = http.get("/accounts")

    assert refused.status_code == 429
    assert refused.json()["success"] is False
    assert refused.headers["retry-after"] == "6"
    assert refused.headers["ratelimit"] == '"default";r=0;t=6'
    clock.seconds += 6
    assert http.get("/accounts").status_code == 200
    assert api.behaviour.quota.violations == [1004.0]
    assert api.behaviour.quota.windows == [2, 1]


def test_exceeding_the_limit_can_block_for_longer(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """Requests during a block do not extend it, but each one is recorded as a violation."""
    api.behaviour.quota = RateLimit(1, 10, block_seconds=300, clock=clock)
    http.get("/accounts")

    assert http.get("/accounts").headers["retry-after"] == "300"
    clock.seconds += 299.5
    blocked = http.get("/accounts")
    assert (blocked.status_code, blocked.headers["retry-after"]) == (429, "1")
    clock.seconds += 0.5
    assert http.get("/accounts").status_code == 200
    assert api.behaviour.quota.violations == [1000.0, 1299.5]


def test_a_block_can_be_shorter_than_the_window(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """A new window starts when the block ends."""
    api.behaviour.quota = RateLimit(1, 100, block_seconds=5, clock=clock)
    http.get("/accounts")
    assert http.get("/accounts").headers["retry-after"] == "5"
    clock.seconds += 5

    assert http.get("/accounts").status_code == 200
    assert http.get("/accounts").status_code == 429


def test_others_share_the_limit(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """`used_by_others` requests are spent before the first request."""
    api.behaviour.quota = RateLimit(10, 60, used_by_others=8, clock=clock)

    responses = [http.get("/accounts") for _ in range(3)]

    assert [response.headers["ratelimit"] for response in responses[:2]] == [
        '"default";r=1;t=60',
        '"default";r=0;t=60',
    ]
    assert responses[2].status_code == 429


def test_the_headers_can_be_missing(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """The rate limit headers and `Retry-After` can be left out independently."""
    api.behaviour.quota = RateLimit(1, 10, has_headers=False, clock=clock)
    first, second = http.get("/accounts"), http.get("/accounts")
    assert "ratelimit" not in first.headers
    assert "ratelimit-policy" not in first.headers
    assert second.headers["retry-after"] == "10"

    api.behaviour.quota = RateLimit(1, 10, has_retry_after=False, clock=clock)
    http.get("/accounts")
    refused = http.get("/accounts")
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


def test_headers_can_be_malformed(api: FakeApi, http: httpx.Client) -> None:
    """`headers` sets, replaces or removes a header of every response, whatever the case of its name."""
    api.behaviour.headers = {"Ratelimit": "what?", "ratelimit-policy": None, "X-More": "1"}

    headers = http.get("/accounts").headers

    assert headers.get_list("ratelimit") == ["what?"]
    assert "ratelimit-policy" not in headers
    assert headers["x-more"] == "1"


def test_failed_requests_count_too(api: FakeApi, http: httpx.Client, clock: Clock) -> None:
    """A request counts against the limit even if it is rejected."""
    api.behaviour.quota = RateLimit(5, 10, clock=clock)

    http.get("/nowhere")
    http.get("/accounts", headers={"authorization": "Bearer wrong"})

    assert http.get("/accounts").headers["ratelimit"] == '"default";r=2;t=10'
