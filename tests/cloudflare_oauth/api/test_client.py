"""One request, one checked answer: what is tried again, what is an error, and what it says."""

import json
import time
from dataclasses import replace

import anyio
import httpx
import pytest

from cloudflare_oauth import (
    AuthenticationError,
    CloudflareError,
    ConfigurationError,
    ForbiddenError,
    Limits,
    NotFoundError,
    RequestFailedError,
    events,
)
from cloudflare_oauth.api.client import CloudflareClient, Usage
from cloudflare_oauth.configuration import resolve_connection
from cloudflare_oauth.settings import Connection, Credentials
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, faults
from cloudflare_oauth_pipeline.fake_api.faults import Fault
from tests.support.requests import LIMITS, Get, connection_to


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (faults.error(401, 10000, "Authentication error"), AuthenticationError, "401, code 10000"),
        (faults.forbidden(), ForbiddenError, '403, code 10000): the credentials lack the permission "OAuth'),
        (faults.not_found(), NotFoundError, "404, code 7003): nothing is there; check the account id"),
        (faults.error(400, 7003, "Could not route"), NotFoundError, "400, code 7003"),
        (faults.error(400, 1234, "Strange question"), CloudflareError, "400, code 1234): Strange question"),
        (faults.unsuccessful(10001), CloudflareError, "answered 200 without success, code 10001: Internal"),
        (
            faults.redirect("https://elsewhere.example/"),
            CloudflareError,
            r"redirect (302), which is not followed",
        ),
        (faults.html(403), ForbiddenError, "refused (403) by something that is not Cloudflare's API"),
        (faults.rate_limited(3600), CloudflareError, "asks to wait 3600 seconds (429)"),
    ],
)
def test_what_does_not_pass_is_told_at_once(
    api: FakeApi, get: Get, fault: Fault, kind: type[CloudflareError], words: str
) -> None:
    """One request; the message names the account, the status, Cloudflare's code, and what to do."""
    api.behaviour.fail_next(fault, times=None)

    with pytest.raises(CloudflareError) as raised:
        get(subject="account 023e")

    assert type(raised.value) is kind
    assert str(raised.value).startswith("account 023e: ")
    assert words in str(raised.value)
    assert len(api.requests) == 1


TEMPORARY = [
    faults.error(500),
    faults.error(503, 10000, "x", **{"retry-after": "0"}),
    faults.error(408),
    faults.html(502),
    faults.rate_limited(0),
    faults.rate_limited(None),
    faults.truncated(),
    faults.closed(),
    faults.reset(),
    faults.not_json(),
    faults.empty(),
    faults.body("<html>Sign in to the guest network</html>", status=200, content_type="text/html"),
    faults.body("[1, 2]", status=200, content_type="application/json"),
]


@pytest.mark.parametrize("fault", TEMPORARY)
def test_what_may_pass_is_tried_again(api: FakeApi, get: Get, fault: Fault) -> None:
    """Four failures in a row are survived."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(fault, times=4)

    assert [account["id"] for account in get().result] == ["a"]
    assert len(api.requests) == 5


@pytest.mark.parametrize("fault", [*TEMPORARY, faults.never()])
def test_what_does_not_pass_ends_after_five_attempts(api: FakeApi, get: Get, fault: Fault) -> None:
    """Promise 7: an API that never recovers, or never answers, costs five requests."""
    api.behaviour.fail_next(fault, times=None)

    with pytest.raises(RequestFailedError, match="account a: "):
        get()

    assert len(api.requests) == 5


def test_an_answer_that_drips_is_cut_off(api: FakeApi, get: Get) -> None:
    """A byte now and then is no answer: there is a limit for the whole of it."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(faults.dripped(1, 0.02), times=None)
    limits = Limits(read_seconds=1, total_seconds=0.3, attempts=2, first_backoff_seconds=0.001)
    started = time.monotonic()

    with pytest.raises(RequestFailedError, match=r"no answer from 127\.0\.0\.1 in time"):
        get(limits=limits)

    assert time.monotonic() - started < 3


def test_nobody_listening_is_an_error_that_says_so(api: FakeApi) -> None:
    """The message says which host, and where to look."""

    async def ask() -> None:
        nobody = Connection(base_url="http://127.0.0.1:9", credentials=Credentials(api_token="t"))
        async with CloudflareClient(nobody, limits=LIMITS) as client:
            await client.get("/accounts", {}, subject="account a", usage=Usage())

    with pytest.raises(RequestFailedError, match=r"127\.0\.0\.1 could not be reached .*CLOUDFLARE_BASE_URL"):
        anyio.run(ask)


def test_waiting_between_attempts_has_a_budget(api: FakeApi, get: Get) -> None:
    """However long the API wants to be left alone, apart from a 429 a request waits a bounded time."""
    api.behaviour.fail_next(faults.error(503, 10000, "x", **{"retry-after": "3600"}), times=None)

    with pytest.raises(RequestFailedError):
        get()

    assert len(api.requests) == 1


@pytest.mark.parametrize("retry_after", [1, None])
def test_a_429_holds_back_every_request(api: FakeApi, retry_after: int | None) -> None:
    """Not only the one it answered: what is asked meanwhile waits until its seconds are over.

    If it does not say how many, as long as the one that was refused would have waited alone.
    """
    api.behaviour.fail_next(faults.rate_limited(retry_after))
    limits = replace(LIMITS, first_backoff_seconds=1, longest_backoff_seconds=1)
    told: list[events.Event] = []

    async def ask() -> None:
        blocked = anyio.Event()

        def observe(event: events.Event) -> None:
            told.append(event)
            if isinstance(event, events.Waiting):
                blocked.set()

        async with (
            CloudflareClient(connection_to(api), limits=limits, observer=observe) as client,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_get, client, 1)
            await blocked.wait()
            for page in range(2, 7):
                tasks.start_soon(_get, client, page)

    anyio.run(ask)

    refused, *later = api.requests
    assert refused.answered_at
    assert min(request.time for request in later) - refused.answered_at >= 0.99
    assert len(later) == 6
    assert [round(event.seconds) for event in told if isinstance(event, events.Waiting)] == [1]


def test_connections_are_kept_and_no_more_are_opened_than_are_needed(api: FakeApi) -> None:
    """As many as there are requests in flight; one request at a time uses the same one again."""
    api.behaviour.latency_seconds = 0.01

    async def ask() -> None:
        async with CloudflareClient(connection_to(api), limits=LIMITS, concurrency=8) as client:
            for page in range(1, 6):
                await _get(client, page)
            async with anyio.create_task_group() as tasks:
                for page in range(1, 31):
                    tasks.start_soon(_get, client, page)

    anyio.run(ask)

    ports = [request.port for request in api.requests]
    assert (len(ports), len(set(ports[:5])), len(set(ports))) == (35, 1, 8)


def test_a_429_for_longer_than_a_block_lasts_ends_every_request(api: FakeApi) -> None:
    """Nobody else asks a server that wants to be left alone for an hour."""
    api.behaviour.fail_next(*[faults.rate_limited(3_600)] * 20)
    told = []

    async def get(client: CloudflareClient, page: int) -> None:
        with pytest.raises(CloudflareError) as raised:
            await _get(client, page)
        told.append(str(raised.value))

    async def ask() -> None:
        async with (
            CloudflareClient(connection_to(api), limits=LIMITS, concurrency=2) as client,
            anyio.create_task_group() as tasks,
        ):
            for page in range(1, 21):
                tasks.start_soon(get, client, page)

    anyio.run(ask)

    assert len(api.requests) <= 2
    assert len(told) == 20
    assert all("3600 seconds" in one or "3599 seconds" in one for one in told)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.reset(), "got no answer from 127.0.0.1; sync again when it can be reached"),
        (faults.rate_limited(None), "(429); sync again later"),
        (faults.rate_limited(0), "(429); sync again later"),
    ],
    ids=["no answer", "refused", "refused for no time"],
)
def test_a_server_that_does_not_answer_is_not_asked_for_ever(api: FakeApi, fault: Fault, reason: str) -> None:
    """After so many requests in vain nobody asks any more, and each says why."""
    limits = replace(LIMITS, unanswered_in_a_row=30, unanswered_seconds=0, refused_in_a_row=30)
    told = []

    async def get(client: CloudflareClient, page: int) -> None:
        with pytest.raises(RequestFailedError) as raised:
            await _get(client, page)
        told.append(str(raised.value))

    async def ask() -> None:
        async with CloudflareClient(connection_to(api), limits=limits) as client:
            await _get(client, 1)
            api.behaviour.fail_randomly(fault, share=1)
            async with anyio.create_task_group() as tasks:
                for page in range(1, 1_001):
                    tasks.start_soon(get, client, page)

    anyio.run(ask)

    assert len(told) == 1_000
    assert 1 + 30 <= len(api.requests) <= 1 + 30 + 8
    assert told[-1].startswith("others: not asked, because ")
    assert told[-1].endswith(reason)


def test_an_outage_that_was_short_is_not_the_end(api: FakeApi) -> None:
    """Many requests in vain, but not for long: those that come later are made."""
    limits = replace(LIMITS, unanswered_in_a_row=10, unanswered_seconds=20)

    async def ask() -> None:
        async with CloudflareClient(connection_to(api), limits=limits) as client:
            await _get(client, 1)
            api.behaviour.fail_next(*[faults.reset()] * 50)
            for page in range(1, 11):
                with pytest.raises(RequestFailedError, match="could not be reached"):
                    await _get(client, page)
            await _get(client, 1)

    anyio.run(ask)


async def _get(client: CloudflareClient, page: int) -> None:
    await client.get("/accounts", {"page": page}, subject="others", usage=Usage())


def test_only_get_is_ever_sent_and_only_to_the_configured_host(api: FakeApi, get: Get) -> None:
    """A redirect to another host is not followed, so the credentials never reach it."""
    with FakeApi() as other:
        api.behaviour.fail_next(faults.redirect(other.base_url + "/accounts"))

        with pytest.raises(CloudflareError):
            get()

        assert list(other.requests) == []
    assert {request.method for request in api.requests} == {"GET"}


def test_a_token_that_the_server_repeats_is_masked(api: FakeApi, get: Get) -> None:
    """Promise 10: also what comes back may contain it."""
    api.behaviour.fail_next(faults.error(400, 1, f"Bad header: Bearer {FAKE_TOKEN}"))

    with pytest.raises(CloudflareError) as raised:
        get()

    assert FAKE_TOKEN not in str(raised.value)
    assert "Bad header: Bearer ***" in str(raised.value)


def test_credentials_are_not_in_any_repr(api: FakeApi) -> None:
    """Promise 10."""
    connection = resolve_connection(api_token="s3cret", base_url=api.base_url, environment={})

    assert "s3cret" not in repr(connection)
    assert "s3cret" not in repr(Credentials(email="e@example.com", api_key="s3cret"))


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.cloudflare.com/client/v4",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://user:password@api.cloudflare.com/",
        "https://api.cloudflare.com/?q=1",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1#@evil.example/",
        "http://[::1].evil.example/",
        "ftp://127.0.0.1/",
        "api.cloudflare.com",
        "",
        "https://",
    ],
)
def test_a_base_url_that_would_give_the_credentials_away_is_refused(base_url: str) -> None:
    """Plain `http` is for this machine alone."""
    environment = {"CLOUDFLARE_BASE_URL": base_url or "https://"}

    with pytest.raises(ConfigurationError, match="base URL"):
        resolve_connection(api_token="t", environment=environment)


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost", "https://a.b"]
)
def test_a_base_url_that_is_safe_is_taken(base_url: str) -> None:
    """Any host with `https`, this one also without."""
    assert resolve_connection(api_token="t", base_url=base_url + "/", environment={}).base_url == base_url


@pytest.mark.parametrize("token", ["two words", "new\nline", "ünicode", "\x00"])
def test_a_token_that_no_header_can_carry_is_a_configuration_error(token: str) -> None:
    """It is said without showing it."""
    with pytest.raises(ConfigurationError) as raised:
        resolve_connection(api_token=token, environment={})

    assert token not in str(raised.value)


def test_the_environment_wins_over_dlt_and_an_argument_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """First found wins; a pair is never put together from two places."""
    monkeypatch.setenv("SOURCES__CLOUDFLARE_OAUTH__API_TOKEN", "of-dlt")
    environment = {"CLOUDFLARE_API_TOKEN": "of-the-environment"}

    assert resolve_connection(environment={}).credentials.api_token == "of-dlt"
    assert resolve_connection(environment=environment).credentials.api_token == "of-the-environment"
    given = resolve_connection(api_token="given", environment=environment)
    assert given.credentials.api_token == "given"
    half = {"CLOUDFLARE_EMAIL": "e@example.com"}
    assert resolve_connection(environment=half).credentials.api_token == "of-dlt"


def test_account_ids_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One or more, comma-separated, each once."""
    one, two = "0" * 32, "A" * 32
    environment = {"CLOUDFLARE_ACCOUNT_ID": f"{one}, {two},{one}"}

    assert resolve_connection(api_token="t", environment=environment).account_ids == (one, two.lower())


def test_the_answer_is_the_result_and_its_info(api: FakeApi, get: Get) -> None:
    """As the API sent them."""
    api.organisation.add_account("a")
    sent = httpx.get(f"{api.base_url}/accounts", headers={"authorization": f"Bearer {FAKE_TOKEN}"}).json()

    answer = get()

    assert (answer.result, answer.result_info) == (sent["result"], sent["result_info"])
    assert json.dumps(answer.result)
