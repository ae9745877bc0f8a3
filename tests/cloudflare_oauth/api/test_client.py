"""One request and its checked response: which failures are retried, and what the errors say."""

import json
import time
from dataclasses import replace

import anyio
import httpx
import pytest

from cloudflare_oauth import (
    AuthenticationError,
    CloudflareError,
    ForbiddenError,
    Limits,
    NotFoundError,
    RequestFailedError,
    events,
)
from cloudflare_oauth.api.client import CloudflareClient, Usage
from cloudflare_oauth.api.endpoint import Endpoint
from cloudflare_oauth.settings import SyncSettings
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, faults
from cloudflare_oauth_pipeline.fake_api.faults import Fault
from tests.support.client_settings import LIMITS, Get, settings_for


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (faults.error(401, 10000, "Authentication error"), AuthenticationError, "401, code 10000"),
        (faults.forbidden(), ForbiddenError, '403, code 10000): the credentials lack the permission "OAuth'),
        (
            faults.error(403, 9109, "Cannot use the access token from location: 192.0.2.1"),
            ForbiddenError,
            "(403, code 9109): Cannot use the access token from location: 192.0.2.1",
        ),
        (
            faults.error(403, 9109, "Unauthorized to access requested resource"),
            ForbiddenError,
            'Unauthorized to access requested resource; the credentials may lack the permission "OAuth',
        ),
        (
            faults.error(403, 10405, "Method not allowed for this scheme"),
            ForbiddenError,
            "not allowed for this",
        ),
        (
            faults.refused(
                400,
                {
                    "code": 6003,
                    "message": "Invalid request headers",
                    "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}],
                },
            ),
            AuthenticationError,
            "(Invalid request headers: Invalid format for Authorization header (code 6111)); check CLOU",
        ),
        (
            faults.refused(400, {"code": 7, "message": "First."}, {"code": 8, "message": "Second"}, "noise"),
            CloudflareError,
            "400, code 7): First; Second",
        ),
        (faults.refused(400, {"error_chain": "noise"}, {"message": 7}), CloudflareError, "it gave no reason"),
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
def test_a_permanent_failure_is_raised_at_once(
    api: FakeApi, get: Get, fault: Fault, kind: type[CloudflareError], words: str
) -> None:
    """One request is sent; the message names the account, the status, Cloudflare's code, and what to do."""
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
def test_a_temporary_failure_is_retried(api: FakeApi, get: Get, fault: Fault) -> None:
    """The fifth attempt succeeds after four failures in a row."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(fault, times=4)

    assert [account["id"] for account in get().result] == ["a"]
    assert len(api.requests) == 5


@pytest.mark.parametrize("fault", [*TEMPORARY, faults.never()])
def test_a_lasting_failure_ends_after_five_attempts(api: FakeApi, get: Get, fault: Fault) -> None:
    """Promise 7: an API that never recovers, or never responds, costs five requests."""
    api.behaviour.fail_next(fault, times=None)

    with pytest.raises(RequestFailedError, match="account a: "):
        get(limits=replace(LIMITS, read_seconds=0.3, total_seconds=0.6))

    assert len(api.requests) == 5


@pytest.mark.parametrize("status", [201, 202, 203, 206, 207, 226, 299])
def test_only_200_is_a_whole_answer(api: FakeApi, get: Get, status: int) -> None:
    """A proxy's 203 may be altered, a 206 is a part: however right it looks, nothing of it is used."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(faults.other_status(status))

    with pytest.raises(
        CloudflareError, match=f"account a: Cloudflare answered {status}, but only 200"
    ) as caught:
        get()

    assert caught.value.http_status == status
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("errors", "told", "code"),
    [
        ([{"code": 10013, "message": "partial result"}], "(200, code 10013): partial result", 10013),
        ([{"message": "no code"}], "(200): no code", None),
        ([None], "(200): it gave no reason", None),
        (["text"], "(200): it gave no reason", None),
    ],
)
def test_an_answer_with_errors_beside_its_result_is_not_used(
    api: FakeApi, get: Get, errors: list[object], told: str, code: int | None
) -> None:
    """`success: true` does not make up for them."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(faults.errors_beside_the_result(*errors))

    with pytest.raises(CloudflareError) as caught:
        get()

    assert told in str(caught.value)
    assert (caught.value.http_status, caught.value.code) == (200, code)


def test_an_answer_without_errors_is_used(api: FakeApi, get: Get) -> None:
    """`errors` may be empty, null or absent."""
    for envelope in ({"errors": []}, {"errors": None}, {}):
        api.behaviour.fail_next(faults.body(json.dumps({"success": True, "result": [1]} | envelope)))

        assert get().result == [1]


def test_a_response_that_drips_is_cut_off(api: FakeApi, get: Get) -> None:
    """A byte now and then does not restart the clock: the time limit applies to the whole response."""
    api.organisation.add_account("a")
    api.behaviour.fail_next(faults.dripped(1, 0.02), times=None)
    limits = Limits(read_seconds=1, total_seconds=0.3, attempts=2, first_backoff_seconds=0.001)
    started = time.monotonic()

    with pytest.raises(RequestFailedError, match=r"no answer from 127\.0\.0\.1 in time"):
        get(limits=limits)

    assert time.monotonic() - started < 3


def test_an_unreachable_host_is_an_error_that_says_so(api: FakeApi) -> None:
    """The message names the host and the setting to check."""

    async def ask() -> None:
        closed = SyncSettings(base_url="http://127.0.0.1:9", api_token="t", limits=LIMITS)
        async with CloudflareClient(closed) as client:
            await client.get(Endpoint(path="/accounts", subject="account a"), {}, Usage())

    with pytest.raises(RequestFailedError, match=r"127\.0\.0\.1 could not be reached .*CLOUDFLARE_BASE_URL"):
        anyio.run(ask)


def test_the_wait_between_attempts_is_bounded(api: FakeApi, get: Get) -> None:
    """A `Retry-After` beyond the budget ends the request; only the waits of a 429 are not bounded by it."""
    api.behaviour.fail_next(faults.error(503, 10000, "x", **{"retry-after": "3600"}), times=None)

    with pytest.raises(RequestFailedError):
        get()

    assert len(api.requests) == 1


@pytest.mark.parametrize("retry_after", [1, None])
def test_a_429_holds_back_every_request(api: FakeApi, retry_after: int | None) -> None:
    """Requests that start after a 429 wait, too, until its `Retry-After` has passed.

    Without that header they wait for the backoff of the refused request.
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
            CloudflareClient(settings_for(api, limits=limits), observe) as client,
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


def test_connections_are_reused_and_never_outnumber_the_requests_in_flight(api: FakeApi) -> None:
    """Sequential requests share one connection; 30 requests with a concurrency of 8 use 8."""
    api.behaviour.latency_seconds = 0.01

    async def ask() -> None:
        async with CloudflareClient(settings_for(api, concurrency=8)) as client:
            for page in range(1, 6):
                await _get(client, page)
            async with anyio.create_task_group() as tasks:
                for page in range(1, 31):
                    tasks.start_soon(_get, client, page)

    anyio.run(ask)

    ports = [request.port for request in api.requests]
    assert (len(ports), len(set(ports[:5])), len(set(ports))) == (35, 1, 8)


def test_a_429_beyond_the_maximum_wait_ends_every_request(api: FakeApi) -> None:
    """After a 429 that asks for an hour, no further request is sent."""
    api.behaviour.fail_next(*[faults.rate_limited(3_600)] * 20)
    told = []

    async def get(client: CloudflareClient, page: int) -> None:
        with pytest.raises(CloudflareError) as raised:
            await _get(client, page)
        told.append(str(raised.value))

    async def ask() -> None:
        async with (
            CloudflareClient(settings_for(api, concurrency=2)) as client,
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
    ids=["no response", "429 without Retry-After", "429 with Retry-After 0"],
)
def test_the_circuit_breaker_stops_all_requests(api: FakeApi, fault: Fault, reason: str) -> None:
    """After 30 failures in a row no request is sent any more, and each error says why."""
    limits = replace(LIMITS, unanswered_in_a_row=30, unanswered_seconds=0, refused_in_a_row=30)
    told = []

    async def get(client: CloudflareClient, page: int) -> None:
        with pytest.raises(RequestFailedError) as raised:
            await _get(client, page)
        told.append(str(raised.value))

    async def ask() -> None:
        async with CloudflareClient(settings_for(api, limits=limits)) as client:
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


def test_a_short_outage_does_not_trip_the_circuit_breaker(api: FakeApi) -> None:
    """Many failures within a short time are not enough: later requests are still sent."""
    limits = replace(LIMITS, unanswered_in_a_row=10, unanswered_seconds=20)

    async def ask() -> None:
        async with CloudflareClient(settings_for(api, limits=limits)) as client:
            await _get(client, 1)
            api.behaviour.fail_next(*[faults.reset()] * 50)
            for page in range(1, 11):
                with pytest.raises(RequestFailedError, match="could not be reached"):
                    await _get(client, page)
            await _get(client, 1)

    anyio.run(ask)


async def _get(client: CloudflareClient, page: int) -> None:
    await client.get(Endpoint(path="/accounts", subject="others"), {"page": page}, Usage())


def test_only_get_requests_are_sent_and_only_to_the_configured_host(api: FakeApi, get: Get) -> None:
    """A redirect to another host is not followed, so the credentials never reach it."""
    with FakeApi() as other:
        api.behaviour.fail_next(faults.redirect(other.base_url + "/accounts"))

        with pytest.raises(CloudflareError):
            get()

        assert list(other.requests) == []
    assert {request.method for request in api.requests} == {"GET"}


def test_a_token_that_the_server_echoes_is_masked(api: FakeApi, get: Get) -> None:
    """Promise 10: a response may contain the token, and the error message must not."""
    api.behaviour.fail_next(faults.error(400, 1, f"Bad header: Bearer {FAKE_TOKEN}"))

    with pytest.raises(CloudflareError) as raised:
        get()

    assert FAKE_TOKEN not in str(raised.value)
    assert "Bad header: Bearer ***" in str(raised.value)


def test_the_response_holds_the_result_and_its_info(api: FakeApi, get: Get) -> None:
    """`result` and `result_info` are as the API sent them."""
    api.organisation.add_account("a")
    sent = httpx.get(f"{api.base_url}/accounts", headers={"authorization": f"Bearer {FAKE_TOKEN}"}).json()

    response = get()

    assert (response.result, response.result_info) == (sent["result"], sent["result_info"])
    assert json.dumps(response.result)
