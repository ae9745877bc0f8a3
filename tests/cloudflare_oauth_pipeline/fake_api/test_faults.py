import socket
import time
from collections import Counter

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id, faults

CLIENTS = "/accounts/a/oauth_clients"


@pytest.fixture(autouse=True)
def three_clients(api):
    for client_id in "123":
        api.organisation.add("a", client_id=client_id)


def is_well(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and [c["client_id"] for c in answer.json()["result"]] == ["1", "2", "3"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 418, 500, 502, 503, 504, 520, 524])
def test_any_status_comes_in_the_envelope(api, http, status):
    """With code, message and headers; the request after it is answered well."""
    api.behaviour.fail_next(faults.error(status, 10013, "no", retry_after="7"))

    answer = http.get(CLIENTS)

    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert answer.json()["errors"] == [{"code": 10013, "message": "no"}]
    assert answer.json()["result"] is None
    assert answer.headers["retry-after"] == "7"
    assert is_well(http.get(CLIENTS))


@pytest.mark.parametrize("retry_after", [0, 300, "soon", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_a_rate_limit_says_when_to_come_back_or_does_not(api, http, retry_after):
    """429 with `Retry-After` in seconds, as a date, as nonsense, or without."""
    api.behaviour.fail_next(faults.rate_limited(retry_after))

    answer = http.get(CLIENTS)

    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == (None if retry_after is None else str(retry_after))


@pytest.mark.parametrize("status", [502, 200])
def test_a_proxy_answers_with_html(api, http, status):
    """Also with status 200."""
    api.behaviour.fail_next(faults.html(status))

    answer = http.get(CLIENTS)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html>" in answer.text


def test_a_body_can_be_anything(api, http):
    """Any status, bytes, type and headers."""
    api.behaviour.fail_next(faults.body(b"\xff\x00", status=299, content_type="x/y", x_more="1"))

    answer = http.get(CLIENTS)

    assert (answer.status_code, answer.content) == (299, b"\xff\x00")
    assert (answer.headers["content-type"], answer.headers["x-more"]) == ("x/y", "1")


@pytest.mark.parametrize("fault", [faults.not_json(), faults.empty()])
def test_a_body_is_not_json(api, http, fault):
    """200 and `application/json`, but it does not parse."""
    api.behaviour.fail_next(fault)

    answer = http.get(CLIENTS)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()


def test_a_200_can_be_unsuccessful(api, http):
    """The result is an empty list, which must not be believed."""
    api.behaviour.fail_next(faults.unsuccessful(10001, "no"))

    answer = http.get(CLIENTS)

    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json()["result"] == []
    assert answer.json()["errors"] == [{"code": 10001, "message": "no"}]


@pytest.mark.parametrize("result", [{"client_id": "1"}, "text", None, 7, [[]]])
def test_a_result_has_the_wrong_type(api, http, result):
    """All the rest of the envelope is true."""
    api.behaviour.fail_next(faults.wrong_result(result))

    answer = http.get(CLIENTS).json()

    assert answer["result"] == result
    assert answer["success"] is True
    assert answer["result_info"]["total_count"] == 3


def test_a_result_is_missing(api, http):
    """The key is not there at all."""
    api.behaviour.fail_next(faults.no_result())

    answer = http.get(CLIENTS).json()

    assert "result" not in answer
    assert answer["success"] is True


def test_a_body_is_cut_short(api, http):
    """Content-Length promises more than arrives before the connection closes."""
    api.behaviour.fail_next(faults.truncated())

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        http.get(CLIENTS)
    assert api.requests[-1].status == 200
    assert is_well(http.get(CLIENTS))


def test_a_connection_is_closed_before_the_answer(api, http):
    """Not a byte arrives."""
    api.behaviour.fail_next(faults.closed())

    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        http.get(CLIENTS)
    assert api.requests[-1].status is None
    assert is_well(http.get(CLIENTS))


def test_a_connection_is_reset(api, http):
    """The peer sends RST."""
    api.behaviour.fail_next(faults.reset())

    with pytest.raises(httpx.ReadError, match="reset by peer"):
        http.get(CLIENTS)
    assert api.requests[-1].status is None
    assert is_well(http.get(CLIENTS))


def test_an_answer_never_comes(api, http):
    """The client gives up; the server goes on."""
    api.behaviour.fail_next(faults.never())

    with pytest.raises(httpx.ReadTimeout):
        http.get(CLIENTS, timeout=0.05)
    assert api.requests[-1].status is None
    assert is_well(http.get(CLIENTS))


def test_a_body_drips(api, http):
    """It is whole in the end, but no part of it comes late enough for a read timeout."""
    api.behaviour.fail_next(faults.dripped(bytes_at_once=16, pause_seconds=0.01))
    started = time.monotonic()

    answer = http.get(CLIENTS, timeout=1)

    assert is_well(answer)
    assert time.monotonic() - started >= 0.01 * (len(answer.content) // 16)


def test_a_redirect_leads_elsewhere(api, http):
    """Who follows it arrives at the other host; who does not sees the Location."""
    with FakeApi() as other:
        api.behaviour.fail_next(faults.redirect(f"{other.base_url}/accounts"), times=2)

        answer = http.get(CLIENTS)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{other.base_url}/accounts")
        assert list(other.requests) == []

        http.get(CLIENTS, follow_redirects=True)
        assert other.requests.paths() == ["/accounts"]


def test_faults_come_in_the_order_they_were_asked_for(api, http):
    """One for each request, then all is well."""
    api.behaviour.fail_next(faults.error(500), faults.html(502), times=2)
    api.behaviour.fail_next(faults.error(503))

    assert [http.get(CLIENTS).status_code for _ in range(6)] == [500, 502, 500, 502, 503, 200]


def test_faults_wait_for_their_path_and_page(api, http):
    """Other requests are answered well meanwhile."""
    api.behaviour.fail_next(faults.error(500), path="/accounts")
    api.behaviour.fail_next(faults.error(501), path="*/oauth_clients", page=2)

    asked = [CLIENTS, f"{CLIENTS}?page=2", "/accounts", "/oauth/scopes", "/accounts", f"{CLIENTS}?page=2"]

    assert [http.get(path).status_code for path in asked] == [200, 501, 500, 200, 200, 200]


def test_a_request_without_a_page_asks_for_page_1(api, http):
    """So a fault for page 1 is for it."""
    api.behaviour.fail_next(faults.error(500), page=1)

    assert [http.get(f"{CLIENTS}?page=2").status_code, http.get(CLIENTS).status_code] == [200, 500]


def test_faults_can_come_later(api, http):
    """After so many good answers."""
    api.behaviour.fail_next(faults.error(500), after=2)

    assert [http.get(CLIENTS).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_faults_can_come_for_ever(api, http):
    """Until the API is healed."""
    api.behaviour.fail_next(faults.error(500), times=None, path="/accounts")

    assert [http.get("/accounts").status_code for _ in range(5)] == [500] * 5
    api.behaviour.heal()
    assert http.get("/accounts").status_code == 200


def test_a_share_of_the_answers_fails(api, http):
    """About as many as were asked for, of every kind; none after healing."""
    api.behaviour.fail_randomly(faults.error(500), faults.error(503), share=0.3, seed=1)

    statuses = Counter(http.get(CLIENTS).status_code for _ in range(200))

    assert set(statuses) == {200, 500, 503}
    assert 40 <= statuses[500] + statuses[503] <= 80
    api.behaviour.heal()
    assert {http.get(CLIENTS).status_code for _ in range(20)} == {200}


def test_random_faults_do_not_depend_on_the_order_of_requests():
    """The same seed: the same request fails the same time, whatever else is asked in between."""
    headers = {"authorization": f"Bearer {FAKE_TOKEN}"}
    paths = [f"/accounts?page={page}" for page in range(1, 21)]
    outcomes = []
    for order in (paths * 2, [*reversed(paths), *paths]):
        with FakeApi() as api, httpx.Client(base_url=api.base_url, headers=headers, verify=False) as http:
            api.behaviour.fail_randomly(faults.error(500), share=0.5, seed="s")
            answers = [(path, http.get(path).status_code) for path in order]
            outcomes.append({path: [status for p, status in answers if p == path] for path in paths})

    assert outcomes[0] == outcomes[1]
    assert {status for statuses in outcomes[0].values() for status in statuses} == {200, 500}


def test_random_faults_let_a_request_through_in_time(api, http):
    """At most so many in a row, though every answer was to fail."""
    api.behaviour.fail_randomly(faults.error(500), share=1, at_most_in_a_row=2)

    assert [http.get(CLIENTS).status_code for _ in range(6)] == [500, 500, 200, 500, 500, 200]


def test_random_faults_keep_to_their_path(api, http):
    """Other requests are answered well."""
    api.behaviour.fail_randomly(faults.error(500), share=1, path="*/oauth_clients")

    assert [http.get(path).status_code for path in (CLIENTS, "/accounts")] == [500, 200]


def test_an_account_can_be_forbidden(api, http):
    """403 with code 10000 for its clients, until it is allowed; it is still listed, and others are served."""
    api.organisation.add("b")
    api.behaviour.forbid("a")

    refused = http.get(CLIENTS)

    assert refused.status_code == 403
    assert refused.json()["errors"] == [{"code": 10000, "message": "Authentication error"}]
    assert http.get("/accounts/b/oauth_clients").status_code == 200
    assert [row["id"] for row in http.get("/accounts").json()["result"]] == ["a", "b"]
    api.behaviour.allow("a")
    assert is_well(http.get(CLIENTS))


def test_an_account_can_be_not_found(api, http):
    """404 with code 7003."""
    api.behaviour.not_found("a")

    refused = http.get(CLIENTS)

    assert refused.status_code == 404
    assert refused.json()["errors"][0]["code"] == 7003


def test_an_account_can_be_broken_in_any_way(api, http):
    """As long as nobody heals it; a true answer can be spoiled too."""
    api.behaviour.break_("a", faults.error(500))
    assert {http.get(CLIENTS).status_code for _ in range(3)} == {500}

    api.behaviour.break_("a", faults.no_result())
    assert "result" not in http.get(CLIENTS).json()

    api.behaviour.heal()
    assert is_well(http.get(CLIENTS))


def test_what_is_refused_anyway_stays_refused(api, http):
    """Wrong credentials are told first, even for a broken account."""
    api.behaviour.break_("a", faults.error(500))

    assert http.get(CLIENTS, headers={"authorization": "Bearer wrong"}).status_code == 401


def test_a_fault_has_a_name(api):
    """A failing test says which one it was."""
    assert repr(faults.error(500, 10013)) == "Fault(500, code 10013)"
    assert repr(faults.wrong_result("x")) == "Fault(result 'x')"
    assert repr(faults.truncated()) == "Fault(half of the body arrives, then the connection is closed)"


def test_an_account_is_told_from_a_missing_one(api, http):
    """Well-formed but unknown: 403; malformed: 404 with code 7003."""
    unknown = http.get(f"/accounts/{account_id('nobody')}/oauth_clients")
    malformed = http.get("/accounts/nobody/oauth_clients")

    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (403, 10000)
    assert (malformed.status_code, malformed.json()["errors"][0]["code"]) == (404, 7003)


def test_a_truncated_answer_is_really_short_on_the_wire(api):
    """Read without an HTTP client: half of the promised bytes, then the end."""
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
