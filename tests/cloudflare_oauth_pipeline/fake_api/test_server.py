"""The fake API as a server: routes, credentials, the request log, starting and stopping."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import (
    FAKE_EMAIL,
    FAKE_KEY,
    FAKE_TOKEN,
    FakeApi,
    Organisation,
    faults,
)

HEADERS = {"authorization": f"Bearer {FAKE_TOKEN}"}


def test_a_token_is_accepted(http: httpx.Client) -> None:
    """`Authorization: Bearer` with a known token is accepted."""
    assert http.get("/accounts").json() == {
        "result": [],
        "success": True,
        "errors": [],
        "messages": [],
        "result_info": {"page": 1, "per_page": 20, "count": 0, "total_count": 0, "total_pages": 0},
    }


def test_an_email_and_a_key_are_accepted(api: FakeApi) -> None:
    """The legacy headers `X-Auth-Email` and `X-Auth-Key` are accepted."""
    headers = {"X-Auth-Email": FAKE_EMAIL, "X-Auth-Key": FAKE_KEY}

    assert httpx.get(f"{api.base_url}/accounts", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, 9106),
        ({"authorization": "Bearer wrong"}, 401, 10000),
        ({"authorization": FAKE_TOKEN}, 400, 6003),
        ({"authorization": f"Basic {FAKE_TOKEN}"}, 400, 6003),
        ({"authorization": f"Bearer  {FAKE_TOKEN}"}, 400, 6003),
        ({"x-auth-email": FAKE_EMAIL}, 400, 9106),
        ({"x-auth-email": FAKE_EMAIL, "x-auth-key": "wrong"}, 403, 9103),
        ({"x-auth-email": "who@example.com", "x-auth-key": FAKE_KEY}, 403, 9103),
    ],
)
def test_other_credentials_are_rejected(
    api: FakeApi, headers: dict[str, str], status: int, code: int
) -> None:
    """Every path checks credentials first and responds with Cloudflare's status and code."""
    for path in ("/accounts", "/accounts/x", "/accounts/x/oauth_clients", "/oauth/scopes"):
        response = httpx.get(api.base_url + path, headers=headers)
        assert response.status_code == status
        assert response.json()["success"] is False
        assert response.json()["errors"][0]["code"] == code


def test_credentials_can_be_revoked_and_added(api: FakeApi, http: httpx.Client) -> None:
    """Changes to the accepted credentials apply while the server runs."""
    api.behaviour.tokens = {"another"}
    assert http.get("/accounts").status_code == 401
    assert http.get("/accounts", headers={"authorization": "Bearer another"}).status_code == 200

    api.behaviour.keys["me@example.com"] = "k"
    response = httpx.get(
        f"{api.base_url}/accounts", headers={"x-auth-email": "me@example.com", "x-auth-key": "k"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_is_allowed(api: FakeApi, http: httpx.Client, method: str) -> None:
    """Other methods get a 405 in the envelope and change nothing."""
    api.organisation.add("a", client_id="1")

    for path in ("/accounts", "/accounts/a", "/accounts/a/oauth_clients", "/oauth/scopes"):
        response = http.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, "GET")
        if method != "HEAD":
            assert response.json()["success"] is False
    assert len(api.organisation.clients("a")) == 1


def test_a_single_account_can_be_requested(api: FakeApi, http: httpx.Client) -> None:
    """It is the same document as in the list; an unknown account is a 403."""
    account = api.organisation.add_account("a" * 32, "First")

    assert http.get(f"/accounts/{'a' * 32}").json()["result"] == account
    refused = http.get(f"/accounts/{'b' * 32}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 9109)


@pytest.mark.parametrize(
    "path", ["/", "/zones", "/accounts/", "/accounts/a/b", "/accounts/a/oauth_clients/1"]
)
def test_there_is_no_other_route(http: httpx.Client, path: str) -> None:
    """Any other path is a 404 with codes 7003 and 7000."""
    response = http.get(path)

    assert response.status_code == 404
    assert [error["code"] for error in response.json()["errors"]] == [7003, 7000]


def test_the_catalogue_can_change(api: FakeApi, http: httpx.Client) -> None:
    """Scopes added while the server runs are served."""
    api.organisation.scopes.append({"id": "new.write", "name": "New Write"})

    response = http.get("/oauth/scopes").json()

    assert response["result"] == api.organisation.scopes
    assert response["result"][-1]["id"] == "new.write"
    assert response["result_info"]["total_count"] == len(api.organisation.scopes)


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "\ud800", "é\u202e👩‍👩‍👧", "x" * 70_000, '"\\\u2028</script>', "\x7f\x1b[31m"],
    ids=["empty", "nul", "surrogate", "unicode", "long", "quotes", "control"],
)
def test_any_text_survives(api: FakeApi, http: httpx.Client, text: str) -> None:
    """Any text arrives unchanged, in values and in field names."""
    api.organisation.add("a", client_name=text, redirect_uris=[text], **{f"field {text}": {text: text}})

    assert http.get("/accounts/a/oauth_clients").json()["result"] == api.organisation.clients("a")


def test_rows_that_are_no_clients_or_accounts_are_served(api: FakeApi, http: httpx.Client) -> None:
    """Malformed rows are served unchanged and break neither filters nor look-ups."""
    for item in (None, "text", 1.5, [], {}, {"client_id": None}):
        api.organisation.put("a", item)
        api.organisation.put_account(item)

    assert http.get("/accounts/a/oauth_clients").json()["result"] == api.organisation.clients("a")
    assert http.get("/accounts").json()["result"] == api.organisation.accounts()
    assert http.get("/accounts?name=x").json()["result"] == []
    assert http.get(f"/accounts/{'b' * 32}").status_code == 403


def test_an_account_can_have_any_id(api: FakeApi, http: httpx.Client) -> None:
    """Even an account id that has to be percent-encoded works."""
    api.organisation.add("é ?", client_id="1")

    response = http.get("/accounts/%C3%A9%20%3F/oauth_clients")

    assert [client["client_id"] for client in response.json()["result"]] == ["1"]
    assert api.requests[-1].account_id == "é ?"
    assert api.requests[-1].path == "/accounts/é ?/oauth_clients"


def test_a_big_account_is_served_quickly(api: FakeApi, http: httpx.Client) -> None:
    """The last 100 of 400 pages come in under 3 seconds, without 40 ms of delayed acknowledgement each."""
    for number in range(20_000):
        api.organisation.add("a", client_id=str(number), redirect_uris=["https://a.example/cb"])
    started = time.monotonic()

    for page in range(301, 401):
        rows = http.get("/accounts/a/oauth_clients", params={"page": page, "per_page": 50}).json()["result"]
        assert len(rows) == 50

    assert rows[-1]["client_id"] == "19999"
    assert time.monotonic() - started < 3


def test_requests_are_logged_in_order(api: FakeApi, http: httpx.Client) -> None:
    """The log has method, path, query, headers, account, status and times, and can be cleared."""
    api.organisation.add("a")
    before = time.monotonic()
    http.get("/accounts/a/oauth_clients", params={"page": 2}, headers={"X-Mine": "Yes"})
    http.post("/accounts")

    first, second = api.requests
    assert (first.method, first.path, first.query) == ("GET", "/accounts/a/oauth_clients", {"page": "2"})
    assert (first.account_id, first.status) == ("a", 200)
    assert first.headers["x-mine"] == "Yes"
    assert first.headers["authorization"] == f"Bearer {FAKE_TOKEN}"
    assert (second.method, second.path, second.account_id, second.status) == ("POST", "/accounts", None, 405)
    assert before <= first.time <= first.answered_at <= second.time
    assert api.requests.paths() == ["/accounts/a/oauth_clients", "/accounts"]
    assert api.requests.of("a") == [first]

    api.requests.clear()
    assert list(api.requests) == []


def test_the_log_knows_how_many_requests_waited_at_once(api: FakeApi, http: httpx.Client) -> None:
    """Five concurrent requests count as five at once."""
    api.behaviour.latency_seconds = 0.2

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(http.get, ["/accounts"] * 5))

    assert api.requests.most_at_once() == 5
    assert all(request.answered_at - request.time >= 0.2 for request in api.requests)


def test_a_test_can_wait_for_a_request(api: FakeApi, http: httpx.Client) -> None:
    """`wait_for` replaces sleeping, and raises `TimeoutError` if the request does not come."""
    thread = threading.Thread(target=http.get, args=("/accounts",))
    thread.start()
    api.requests.wait_for(1)
    thread.join()

    with pytest.raises(TimeoutError, match="1 requests arrived"):
        api.requests.wait_for(2, timeout_seconds=0.01)


def test_a_failing_callback_is_not_mistaken_for_a_fault(http: httpx.Client) -> None:
    """The response is a 500 that names the exception, and stopping the server raises it."""
    organisation = Organisation()
    organisation.add("a")

    with pytest.raises(ZeroDivisionError), FakeApi(organisation) as api:
        api.behaviour.between = lambda account_id, page, organisation: 1 // 0
        response = httpx.get(f"{api.base_url}/accounts/a/oauth_clients", headers=HEADERS)

    assert response.status_code == 500
    assert "ZeroDivisionError" in response.text


def test_starting_and_stopping_is_fast() -> None:
    """Twenty servers start, serve one request and stop in less than two seconds."""
    with httpx.Client(headers=HEADERS, verify=False) as client:
        started = time.monotonic()
        for _ in range(20):
            with FakeApi() as api:
                assert client.get(f"{api.base_url}/accounts").status_code == 200

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("obstacle", ["never", "latency", "drip"])
def test_stopping_does_not_wait_for_open_requests(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    """Stopping aborts open connections; nothing is printed or logged."""
    errors = []

    def request(url: str) -> None:
        try:
            httpx.get(url, headers=HEADERS, timeout=30)
        except httpx.HTTPError as error:
            errors.append(error)

    with FakeApi() as api:
        if obstacle == "latency":
            api.behaviour.latency_seconds = 30
        else:
            slow = faults.dripped(1, pause_seconds=30)
            api.behaviour.fail_next(faults.never() if obstacle == "never" else slow)
        thread = threading.Thread(target=request, args=(f"{api.base_url}/accounts",))
        thread.start()
        api.requests.wait_for(1)
        stopping = time.monotonic()
    stopped = time.monotonic()
    thread.join()

    assert stopped - stopping < 5
    assert len(errors) == 1
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []


def test_a_stopped_server_refuses_connections() -> None:
    """A stopped server can start again on the same port with the same organisation."""
    server = FakeApi()
    server.organisation.add_account("a")
    with server as api:
        url, port = f"{api.base_url}/accounts", api.port
        assert httpx.get(url, headers=HEADERS).status_code == 200

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url

    with server:
        assert [row["id"] for row in httpx.get(url, headers=HEADERS).json()["result"]] == ["a"]


def test_servers_are_independent() -> None:
    """Each server has its own port, organisation and request log."""
    with FakeApi() as one, FakeApi() as two:
        one.organisation.add_account("a")
        one.behaviour.latency_seconds = 0

        assert one.port != two.port
        assert httpx.get(f"{two.base_url}/accounts", headers=HEADERS).json()["result"] == []
        assert len(two.requests) == 1
        assert len(one.requests) == 0


def test_the_server_listens_on_loopback_only(api: FakeApi) -> None:
    """The base URL is 127.0.0.1 with Cloudflare's path."""
    assert api.base_url == f"http://127.0.0.1:{api.port}/client/v4"
