import pytest

from cloudflare_oauth_pipeline.fake_api import RateLimit


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def test_by_default_the_quota_is_never_used_up(api, http):
    """Every answer has Cloudflare's headers, errors too."""
    for path in ("/accounts", "/oauth/scopes", "/nowhere"):
        headers = http.get(path).headers
        assert headers["ratelimit"] == '"default";r=1200;t=300'
        assert headers["ratelimit-policy"] == '"default";q=1200;w=300'
        assert "retry-after" not in headers
    assert api.behaviour.quota.violations == []


def test_the_headers_count_down(api, http, clock):
    """`r` is what is left, `t` the seconds to the next window, which starts afresh."""
    api.behaviour.quota = RateLimit(3, 10, clock=clock)

    told = []
    for seconds in (0, 2.5, 7.4, 0.1):
        clock.seconds += seconds
        told.append(http.get("/accounts").headers["ratelimit"])

    assert told == ['"default";r=2;t=10', '"default";r=1;t=8', '"default";r=0;t=1', '"default";r=2;t=10']
    assert api.behaviour.quota.windows == [3, 1]
    assert api.behaviour.quota.violations == []


def test_going_over_is_answered_with_429_until_the_window_ends(api, http, clock):
    """`Retry-After` says when; who comes back then is served."""
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


def test_going_over_can_block_for_longer(api, http, clock):
    """The block is no longer for those who knock meanwhile, but each knock is recorded."""
    api.behaviour.quota = RateLimit(1, 10, block_seconds=300, clock=clock)
    http.get("/accounts")

    assert http.get("/accounts").headers["retry-after"] == "300"
    clock.seconds += 299.5
    knock = http.get("/accounts")
    assert (knock.status_code, knock.headers["retry-after"]) == (429, "1")
    clock.seconds += 0.5
    assert http.get("/accounts").status_code == 200
    assert api.behaviour.quota.violations == [1000.0, 1299.5]


def test_a_block_can_be_shorter_than_the_window(api, http, clock):
    """A new window starts when it is over."""
    api.behaviour.quota = RateLimit(1, 100, block_seconds=5, clock=clock)
    http.get("/accounts")
    assert http.get("/accounts").headers["retry-after"] == "5"
    clock.seconds += 5

    assert http.get("/accounts").status_code == 200
    assert http.get("/accounts").status_code == 429


def test_others_use_the_quota_too(api, http, clock):
    """What they used is gone before the first request."""
    api.behaviour.quota = RateLimit(10, 60, used_by_others=8, clock=clock)

    answers = [http.get("/accounts") for _ in range(3)]

    assert [answer.headers["ratelimit"] for answer in answers[:2]] == [
        '"default";r=1;t=60',
        '"default";r=0;t=60',
    ]
    assert answers[2].status_code == 429


def test_the_headers_can_be_missing(api, http, clock):
    """Also `Retry-After` of a 429, separately."""
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


def test_headers_can_be_odd(api, http):
    """Any text, or none, on every answer, however the name is written."""
    api.behaviour.headers = {"Ratelimit": "what?", "ratelimit-policy": None, "X-More": "1"}

    headers = http.get("/accounts").headers

    assert headers.get_list("ratelimit") == ["what?"]
    assert "ratelimit-policy" not in headers
    assert headers["x-more"] == "1"


def test_faults_cost_quota_too(api, http, clock):
    """A request counts, whatever comes of it."""
    api.behaviour.quota = RateLimit(5, 10, clock=clock)

    http.get("/nowhere")
    http.get("/accounts", headers={"authorization": "Bearer wrong"})

    assert http.get("/accounts").headers["ratelimit"] == '"default";r=2;t=10'
