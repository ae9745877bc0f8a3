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


def test_a_token_is_accepted(http):
    """As `Authorization: Bearer`."""
    assert http.get("/accounts").json() == {
        "result": [],
        "success": True,
        "errors": [],
        "messages": [],
        "result_info": {"page": 1, "per_page": 20, "count": 0, "total_count": 0, "total_pages": 0},
    }


def test_an_email_and_a_key_are_accepted(api):
    """The legacy pair of headers."""
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
def test_other_credentials_are_refused(api, headers, status, code):
    """On every path, before anything else is looked at."""
    for path in ("/accounts", "/accounts/x", "/accounts/x/oauth_clients", "/oauth/scopes"):
        answer = httpx.get(api.base_url + path, headers=headers)
        assert answer.status_code == status
        assert answer.json()["success"] is False
        assert answer.json()["errors"][0]["code"] == code


def test_credentials_can_be_revoked_and_given(api, http):
    """While the server runs."""
    api.behaviour.tokens = {"another"}
    assert http.get("/accounts").status_code == 401
    assert http.get("/accounts", headers={"authorization": "Bearer another"}).status_code == 200

    api.behaviour.keys["me@example.com"] = "k"
    answer = httpx.get(
        f"{api.base_url}/accounts", headers={"x-auth-email": "me@example.com", "x-auth-key": "k"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_is_allowed(api, http, method):
    """405 in the envelope; nothing is changed."""
    api.organisation.add("a", client_id="1")

    for path in ("/accounts", "/accounts/a", "/accounts/a/oauth_clients", "/oauth/scopes"):
        answer = http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        if method != "HEAD":
            assert answer.json()["success"] is False
    assert len(api.organisation.clients("a")) == 1


def test_an_account_can_be_asked_for(api, http):
    """The same document as in the list; an unknown one is refused."""
    account = api.organisation.add_account("a" * 32, "First")

    assert http.get(f"/accounts/{'a' * 32}").json()["result"] == account
    refused = http.get(f"/accounts/{'b' * 32}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 9109)


@pytest.mark.parametrize(
    "path", ["/", "/zones", "/accounts/", "/accounts/a/b", "/accounts/a/oauth_clients/1"]
)
def test_there_is_no_other_route(http, path):
    """404 with codes 7003 and 7000."""
    answer = http.get(path)

    assert answer.status_code == 404
    assert [error["code"] for error in answer.json()["errors"]] == [7003, 7000]


def test_the_catalogue_can_change(api, http):
    """Scopes come and go."""
    api.organisation.scopes.append({"id": "new.write", "name": "New Write"})

    answer = http.get("/oauth/scopes").json()

    assert answer["result"] == api.organisation.scopes
    assert answer["result"][-1]["id"] == "new.write"
    assert answer["result_info"]["total_count"] == len(api.organisation.scopes)


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "\ud800", "é\u202e👩‍👩‍👧", "x" * 70_000, '"\\\u2028</script>', "\x7f\x1b[31m"],
    ids=["empty", "nul", "surrogate", "unicode", "long", "quotes", "control"],
)
def test_any_text_survives(api, http, text):
    """In values and in names of fields."""
    api.organisation.add("a", client_name=text, redirect_uris=[text], **{f"field {text}": {text: text}})

    assert http.get("/accounts/a/oauth_clients").json()["result"] == api.organisation.clients("a")


def test_rows_that_are_no_clients_are_served(api, http):
    """And accounts that are none."""
    for item in (None, "text", 1.5, [], {}, {"client_id": None}):
        api.organisation.put("a", item)
        api.organisation.put_account(item)

    assert http.get("/accounts/a/oauth_clients").json()["result"] == api.organisation.clients("a")
    assert http.get("/accounts").json()["result"] == api.organisation.accounts()
    assert http.get("/accounts?name=x").json()["result"] == []
    assert http.get(f"/accounts/{'b' * 32}").status_code == 403


def test_an_account_can_have_any_id(api, http):
    """Also one that has to be escaped."""
    api.organisation.add("é ?", client_id="1")

    answer = http.get("/accounts/%C3%A9%20%3F/oauth_clients")

    assert [client["client_id"] for client in answer.json()["result"]] == ["1"]
    assert api.requests[-1].account_id == "é ?"
    assert api.requests[-1].path == "/accounts/é ?/oauth_clients"


def test_a_big_account_is_served_quickly(api, http):
    """The last of 400 pages takes as long as the first: no 40 ms of delayed acknowledgement."""
    for number in range(20_000):
        api.organisation.add("a", client_id=str(number), redirect_uris=["https://a.example/cb"])
    started = time.monotonic()

    for page in range(301, 401):
        rows = http.get("/accounts/a/oauth_clients", params={"page": page, "per_page": 50}).json()["result"]
        assert len(rows) == 50

    assert rows[-1]["client_id"] == "19999"
    assert time.monotonic() - started < 3


def test_requests_are_logged_in_order(api, http):
    """With method, path, query, headers, account, status and time; the log can be cleared."""
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


def test_the_log_tells_how_many_requests_were_waiting_at_once(api, http):
    """Requests that wait for their answers together are counted together."""
    api.behaviour.latency_seconds = 0.2

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(http.get, ["/accounts"] * 5))

    assert api.requests.most_at_once() == 5
    assert all(request.answered_at - request.time >= 0.2 for request in api.requests)


def test_one_can_wait_for_a_request(api, http):
    """Instead of sleeping; one that does not come is an error."""
    thread = threading.Thread(target=http.get, args=("/accounts",))
    thread.start()
    api.requests.wait_for(1)
    thread.join()

    with pytest.raises(TimeoutError, match="1 requests arrived"):
        api.requests.wait_for(2, timeout_seconds=0.01)


def test_a_callback_that_fails_is_not_taken_for_a_fault(http):
    """The answer is a 500 that says so, and the error is raised where the server is stopped."""
    organisation = Organisation()
    organisation.add("a")

    with pytest.raises(ZeroDivisionError), FakeApi(organisation) as api:
        api.behaviour.between = lambda account_id, page, organisation: 1 // 0
        answer = httpx.get(f"{api.base_url}/accounts/a/oauth_clients", headers=HEADERS)

    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text


def test_starting_and_stopping_takes_no_time():
    """Twenty servers that each answered once, in less than two seconds."""
    with httpx.Client(headers=HEADERS, verify=False) as client:
        started = time.monotonic()
        for _ in range(20):
            with FakeApi() as api:
                assert client.get(f"{api.base_url}/accounts").status_code == 200

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("obstacle", ["never", "latency", "drip"])
def test_stopping_does_not_wait_for_open_requests(capfd, caplog, obstacle):
    """Whoever still waits is hung up on, and nothing is printed or logged."""
    errors = []

    def ask(url: str) -> None:
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
        thread = threading.Thread(target=ask, args=(f"{api.base_url}/accounts",))
        thread.start()
        api.requests.wait_for(1)
        stopping = time.monotonic()
    stopped = time.monotonic()
    thread.join()

    assert stopped - stopping < 5
    assert len(errors) == 1
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []


def test_a_stopped_server_refuses_connections():
    """And it can come back on the same port, with the same organisation."""
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


def test_servers_do_not_know_each_other():
    """Each has its own port, organisation and behaviour."""
    with FakeApi() as one, FakeApi() as two:
        one.organisation.add_account("a")
        one.behaviour.latency_seconds = 0

        assert one.port != two.port
        assert httpx.get(f"{two.base_url}/accounts", headers=HEADERS).json()["result"] == []
        assert len(two.requests) == 1
        assert len(one.requests) == 0


def test_the_server_only_listens_on_this_machine(api):
    """On 127.0.0.1, under Cloudflare's path."""
    assert api.base_url == f"http://127.0.0.1:{api.port}/client/v4"
