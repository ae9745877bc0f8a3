"""Faults: every way in which a single response goes wrong, and when."""

import socket
import time
from collections import Counter

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Fault, account_id, faults

CLIENTS = "/accounts/a/oauth_clients"


@pytest.fixture(autouse=True)
def three_clients(api: FakeApi) -> None:
    """Account `a` has the clients 1, 2 and 3."""
    for client_id in "123":
        api.organisation.add("a", client_id=client_id)


def is_correct(response: httpx.Response) -> bool:
    """Whether a response is a 200 that lists the three clients."""
    return response.status_code == 200 and [c["client_id"] for c in response.json()["result"]] == [
        "1",
        "2",
        "3",
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 418, 500, 502, 503, 504, 520, 524])
def test_any_status_comes_in_the_envelope(api: FakeApi, http: httpx.Client, status: int) -> None:
    """An error has a status, code, message and headers, and the next request succeeds."""
    api.behaviour.fail_next(faults.error(status, 10013, "no", retry_after="7"))

    response = http.get(CLIENTS)

    assert response.status_code == status
    assert response.json()["success"] is False
    assert response.json()["errors"] == [{"code": 10013, "message": "no"}]
    assert response.json()["result"] is None
    assert response.headers["retry-after"] == "7"
    assert is_correct(http.get(CLIENTS))


@pytest.mark.parametrize("retry_after", [0, 300, "soon", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_a_429_may_say_when_to_retry(api: FakeApi, http: httpx.Client, retry_after: int | str | None) -> None:
    """`Retry-After` of a 429 is a number of seconds, a date, nonsense or missing."""
    api.behaviour.fail_next(faults.rate_limited(retry_after))

    response = http.get(CLIENTS)

    assert response.status_code == 429
    assert response.headers.get("retry-after") == (None if retry_after is None else str(retry_after))


@pytest.mark.parametrize("status", [502, 200])
def test_a_proxy_answers_with_html(api: FakeApi, http: httpx.Client, status: int) -> None:
    """A proxy's HTML page comes with an error status or with 200."""
    api.behaviour.fail_next(faults.html(status))

    response = http.get(CLIENTS)

    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert "<html>" in response.text


def test_a_body_can_be_anything(api: FakeApi, http: httpx.Client) -> None:
    """`faults.body` sends any status, bytes, content type and headers."""
    api.behaviour.fail_next(faults.body(b"\xff\x00", status=299, content_type="x/y", x_more="1"))

    response = http.get(CLIENTS)

    assert (response.status_code, response.content) == (299, b"\xff\x00")
    assert (response.headers["content-type"], response.headers["x-more"]) == ("x/y", "1")


@pytest.mark.parametrize("fault", [faults.not_json(), faults.empty()])
def test_a_body_is_not_json(api: FakeApi, http: httpx.Client, fault: Fault) -> None:
    """A 200 with type `application/json` has a body that does not parse."""
    api.behaviour.fail_next(fault)

    response = http.get(CLIENTS)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match="Expecting"):
        response.json()


def test_a_200_can_be_unsuccessful(api: FakeApi, http: httpx.Client) -> None:
    """A 200 has `success: false` and an empty list as result, which a client must not trust."""
    api.behaviour.fail_next(faults.unsuccessful(10001, "no"))

    response = http.get(CLIENTS)

    assert response.status_code == 200
    assert response.json()["success"] is False
    assert response.json()["result"] == []
    assert response.json()["errors"] == [{"code": 10001, "message": "no"}]


@pytest.mark.parametrize("result", [{"client_id": "1"}, "text", None, 7, [[]]])
def test_a_result_has_the_wrong_type(api: FakeApi, http: httpx.Client, result: object) -> None:
    """The rest of the envelope is correct."""
    api.behaviour.fail_next(faults.wrong_result(result))

    response = http.get(CLIENTS).json()

    assert response["result"] == result
    assert response["success"] is True
    assert response["result_info"]["total_count"] == 3


def test_a_result_is_missing(api: FakeApi, http: httpx.Client) -> None:
    """The envelope has no key `result`."""
    api.behaviour.fail_next(faults.no_result())

    response = http.get(CLIENTS).json()

    assert "result" not in response
    assert response["success"] is True


def test_a_listing_is_emptied(api: FakeApi, http: httpx.Client) -> None:
    """Everything else is as in a correct answer of an empty listing."""
    api.behaviour.fail_next(faults.emptied())

    response = http.get(CLIENTS).json()

    assert (response["success"], response["errors"], response["result"]) == (True, [], [])
    assert response["result_info"] == {"page": 1, "per_page": 20, "count": 0, "total_count": 0}


def test_a_correct_answer_has_another_status_or_errors_beside_its_result(
    api: FakeApi, http: httpx.Client
) -> None:
    """The result is whole in both."""
    api.behaviour.fail_next(faults.other_status(206), faults.errors_beside_the_result({"code": 1}))

    partial, doubtful = http.get(CLIENTS), http.get(CLIENTS)

    assert (partial.status_code, partial.json()["errors"]) == (206, [])
    assert (doubtful.status_code, doubtful.json()["errors"]) == (200, [{"code": 1}])
    assert [len(response.json()["result"]) for response in (partial, doubtful)] == [3, 3]


def test_a_body_is_cut_short(api: FakeApi, http: httpx.Client) -> None:
    """`Content-Length` announces more bytes than arrive before the connection closes."""
    api.behaviour.fail_next(faults.truncated())

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        http.get(CLIENTS)
    assert api.requests[-1].status == 200
    assert is_correct(http.get(CLIENTS))


def test_a_connection_is_closed_before_the_response(api: FakeApi, http: httpx.Client) -> None:
    """No byte of a response arrives, and the next request succeeds."""
    api.behaviour.fail_next(faults.closed())

    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        http.get(CLIENTS)
    assert api.requests[-1].status is None
    assert is_correct(http.get(CLIENTS))


def test_a_connection_is_reset(api: FakeApi, http: httpx.Client) -> None:
    """The server sends RST, and the next request succeeds."""
    api.behaviour.fail_next(faults.reset())

    with pytest.raises(httpx.ReadError, match="reset by peer"):
        http.get(CLIENTS)
    assert api.requests[-1].status is None
    assert is_correct(http.get(CLIENTS))


def test_a_response_never_comes(api: FakeApi, http: httpx.Client) -> None:
    """The client times out, and the server serves the next request."""
    api.behaviour.fail_next(faults.never())

    with pytest.raises(httpx.ReadTimeout):
        http.get(CLIENTS, timeout=0.05)
    assert api.requests[-1].status is None
    assert is_correct(http.get(CLIENTS))


def test_a_body_drips(api: FakeApi, http: httpx.Client) -> None:
    """The body arrives in full, a few bytes at a time, each before a read timeout."""
    api.behaviour.fail_next(faults.dripped(bytes_at_once=16, pause_seconds=0.01))
    started = time.monotonic()

    response = http.get(CLIENTS, timeout=1)

    assert is_correct(response)
    assert time.monotonic() - started >= 0.01 * (len(response.content) // 16)


def test_a_redirect_leads_elsewhere(api: FakeApi, http: httpx.Client) -> None:
    """A client that follows the redirect reaches the other host; one that does not gets the `Location`."""
    with FakeApi() as other:
        api.behaviour.fail_next(faults.redirect(f"{other.base_url}/accounts"), times=2)

        response = http.get(CLIENTS)
        assert (response.status_code, response.headers["location"]) == (302, f"{other.base_url}/accounts")
        assert list(other.requests) == []

        http.get(CLIENTS, follow_redirects=True)
        assert other.requests.paths() == ["/accounts"]


def test_faults_come_in_the_order_in_which_they_were_queued(api: FakeApi, http: httpx.Client) -> None:
    """Each request gets one fault; after the last one, requests succeed."""
    api.behaviour.fail_next(faults.error(500), faults.html(502), times=2)
    api.behaviour.fail_next(faults.error(503))

    assert [http.get(CLIENTS).status_code for _ in range(6)] == [500, 502, 500, 502, 503, 200]


def test_faults_wait_for_their_path_and_page(api: FakeApi, http: httpx.Client) -> None:
    """A fault for a path or page leaves other requests alone."""
    api.behaviour.fail_next(faults.error(500), path="/accounts")
    api.behaviour.fail_next(faults.error(501), path="*/oauth_clients", page=2)

    paths = [CLIENTS, f"{CLIENTS}?page=2", "/accounts", "/oauth/scopes", "/accounts", f"{CLIENTS}?page=2"]

    assert [http.get(path).status_code for path in paths] == [200, 501, 500, 200, 200, 200]


def test_a_request_without_a_page_counts_as_page_1(api: FakeApi, http: httpx.Client) -> None:
    """A fault for page 1 applies to a request without `page`."""
    api.behaviour.fail_next(faults.error(500), page=1)

    assert [http.get(f"{CLIENTS}?page=2").status_code, http.get(CLIENTS).status_code] == [200, 500]


def test_faults_can_come_later(api: FakeApi, http: httpx.Client) -> None:
    """With `after=2`, the fault comes after two successful responses."""
    api.behaviour.fail_next(faults.error(500), after=2)

    assert [http.get(CLIENTS).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_faults_can_come_for_ever(api: FakeApi, http: httpx.Client) -> None:
    """With `times=None`, a fault repeats until `heal()`."""
    api.behaviour.fail_next(faults.error(500), times=None, path="/accounts")

    assert [http.get("/accounts").status_code for _ in range(5)] == [500] * 5
    api.behaviour.heal()
    assert http.get("/accounts").status_code == 200


def test_a_share_of_the_responses_fails(api: FakeApi, http: httpx.Client) -> None:
    """About the requested share fails, with every kind of fault, and none after `heal()`."""
    api.behaviour.fail_randomly(faults.error(500), faults.error(503), share=0.3, seed=1)

    statuses = Counter(http.get(CLIENTS).status_code for _ in range(200))

    assert set(statuses) == {200, 500, 503}
    assert 40 <= statuses[500] + statuses[503] <= 80
    api.behaviour.heal()
    assert {http.get(CLIENTS).status_code for _ in range(20)} == {200}


def test_random_faults_do_not_depend_on_the_order_of_requests() -> None:
    """With the same seed, the same repetition of a request fails, whatever is requested in between."""
    headers = {"authorization": f"Bearer {FAKE_TOKEN}"}
    paths = [f"/accounts?page={page}" for page in range(1, 21)]
    outcomes = []
    for order in (paths * 2, [*reversed(paths), *paths]):
        with FakeApi() as api, httpx.Client(base_url=api.base_url, headers=headers, verify=False) as http:
            api.behaviour.fail_randomly(faults.error(500), share=0.5, seed="s")
            responses = [(path, http.get(path).status_code) for path in order]
            outcomes.append({path: [status for p, status in responses if p == path] for path in paths})

    assert outcomes[0] == outcomes[1]
    assert {status for statuses in outcomes[0].values() for status in statuses} == {200, 500}


def test_random_faults_eventually_let_a_request_through(api: FakeApi, http: httpx.Client) -> None:
    """`at_most_in_a_row` limits consecutive faults even if every response is to fail."""
    api.behaviour.fail_randomly(faults.error(500), share=1, at_most_in_a_row=2)

    assert [http.get(CLIENTS).status_code for _ in range(6)] == [500, 500, 200, 500, 500, 200]


def test_random_faults_keep_to_their_path(api: FakeApi, http: httpx.Client) -> None:
    """Random faults for a path leave other requests alone."""
    api.behaviour.fail_randomly(faults.error(500), share=1, path="*/oauth_clients")

    assert [http.get(path).status_code for path in (CLIENTS, "/accounts")] == [500, 200]


def test_an_account_can_be_forbidden(api: FakeApi, http: httpx.Client) -> None:
    """Its clients are a 403 with code 10000 until allowed; it stays listed, and other accounts are served."""
    api.organisation.add("b")
    api.behaviour.forbid("a")

    refused = http.get(CLIENTS)

    assert refused.status_code == 403
    assert refused.json()["errors"] == [{"code": 10000, "message": "Authentication error"}]
    assert http.get("/accounts/b/oauth_clients").status_code == 200
    assert [row["id"] for row in http.get("/accounts").json()["result"]] == ["a", "b"]
    api.behaviour.allow("a")
    assert is_correct(http.get(CLIENTS))


def test_an_account_can_be_not_found(api: FakeApi, http: httpx.Client) -> None:
    """Its clients are a 404 with code 7003."""
    api.behaviour.not_found("a")

    refused = http.get(CLIENTS)

    assert refused.status_code == 404
    assert refused.json()["errors"][0]["code"] == 7003


def test_an_account_can_be_broken_in_any_way(api: FakeApi, http: httpx.Client) -> None:
    """`break_` applies any fault, even one that alters the correct response, until `heal()`."""
    api.behaviour.break_("a", faults.error(500))
    assert {http.get(CLIENTS).status_code for _ in range(3)} == {500}

    api.behaviour.break_("a", faults.no_result())
    assert "result" not in http.get(CLIENTS).json()

    api.behaviour.heal()
    assert is_correct(http.get(CLIENTS))


def test_wrong_credentials_come_before_a_broken_account(api: FakeApi, http: httpx.Client) -> None:
    """Wrong credentials are rejected first, even for a broken account."""
    api.behaviour.break_("a", faults.error(500))

    assert http.get(CLIENTS, headers={"authorization": "Bearer wrong"}).status_code == 401


def test_a_fault_has_a_name(api: FakeApi) -> None:
    """The `repr` of a fault describes it, so that a failing test shows which one it was."""
    assert repr(faults.error(500, 10013)) == "Fault(500, code 10013)"
    assert repr(faults.wrong_result("x")) == "Fault(result 'x')"
    assert repr(faults.truncated()) == "Fault(half of the body arrives, then the connection is closed)"


def test_an_unknown_account_differs_from_a_malformed_one(api: FakeApi, http: httpx.Client) -> None:
    """A well-formed but unknown account id is a 403; a malformed one is a 404 with code 7003."""
    unknown = http.get(f"/accounts/{account_id('unknown')}/oauth_clients")
    malformed = http.get("/accounts/malformed/oauth_clients")

    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (403, 10000)
    assert (malformed.status_code, malformed.json()["errors"][0]["code"]) == (404, 7003)


def test_a_truncated_response_is_short_on_the_wire(api: FakeApi) -> None:
    """A raw socket receives half of the announced bytes, then the end of the stream."""
    api.behaviour.fail_next(faults.truncated())
    request = f"GET /client/v4{CLIENTS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FAKE_TOKEN}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(request.encode())
        received = b""
        while part := connection.recv(65536):
            received += part

    head, _, body = received.partition(b"\r\n\r\n")
    promised = next(
        int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"content-length")
    )
    assert len(body) == promised // 2
