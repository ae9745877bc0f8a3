"""The guard of the notebook server: only those see the pages who have the token, under a served host name."""

import os
import re
from pathlib import Path

import httpx
import pytest

from cloudflare_oauth_pipeline.destinations.target import Target
from tests.support.pages import NAMES
from tests.support.served import Served, explored

UNENCRYPTED = (
    "warning: the pages and the token cross the network unencrypted, unless a proxy in front uses TLS\n"
)
NO_TOKEN = "warning: no token: everyone who can reach this port can read the dataset\n"  # no secret


def opened_websocket(served: Served, *, cookie: str = "", origin: str | None = None) -> int:
    """Ask for the WebSocket of a page, and return the status of the answer; 101 if it is opened."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Cookie": cookie}
    headers |= {} if origin is None else {"Origin": origin}
    address = f"{served.address}inventory/ws?session_id=s&access_token={served.token}"
    with httpx.stream("GET", address, headers=headers) as answer:
        return answer.status_code


def cookie_of(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


@pytest.mark.scale
def test_without_the_token_nothing_is_served(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Pages, scripts, styles, unknown paths, marimo's API and WebSockets get 401 and a sentence."""
    with explored(demo.db, tmp_path, environment) as served, served.client() as known:
        page = known.get("/inventory/")
        assets = re.findall(r'(?:src|href)="\./(assets/[^"]+\.(?:js|css))"', page.text)
        paths = ["", *(f"{name}/" for name in NAMES), "inventory", "other", f"inventory/{assets[0]}"]
        paths += [
            "inventory/health",
            "inventory/api/status",
            "inventory/api/kernel/run",
            "inventory/auth/login",
        ]
        wrong = ["?access_token=", "?access_token=wrong", "?access_token=%C3%A9", f"?token={served.token}"]
        answers = [httpx.get(f"{served.address}{path}") for path in paths + wrong]
        answers += [httpx.post(f"{served.address}{path}?access_token={served.token}") for path in paths]
        stale = {"Cookie": f"{next(iter(known.cookies))}={served.token}"}
        answers += [httpx.get(f"{served.address}{path}", headers=stale) for path in paths]
        sockets = [
            opened_websocket(served),
            opened_websocket(served, cookie=stale["Cookie"]),
            opened_websocket(served, cookie=cookie_of(known)),
        ]
        manifest = httpx.get(f"{served.address}inventory/manifest.json")
        scripts = [known.get(f"/inventory/{asset}").status_code for asset in assets]

    assert {answer.status_code for answer in answers} == {401}
    assert all("open the whole address" in answer.text for answer in answers)
    assert sockets == [401, 401, 101]
    assert set(scripts) == {200}
    # Browsers ask for it without cookies.
    assert manifest.json() == {"name": "Cloudflare OAuth clients"}


def test_the_token_is_replaced_by_a_cookie(demo: Target, tmp_path: Path, environment: dict[str, str]) -> None:
    """It leaves the address at once, and is in no page, cookie or header; each start has a new one."""
    with explored(demo.db, tmp_path, environment) as served, served.client() as client:
        first = httpx.get(served.printed)
        deep = httpx.get(f"{served.address}changes/?a=b%26c&access_token={served.token}&d=")
        elsewhere = httpx.get(f"{served.address}/evil.example/?access_token={served.token}")
        again = client.get(f"/health/?access_token={served.token}")
        old = client.get("/health/?access_token=of-an-earlier-start")
        pages = [client.get(f"/{name}/") for name in NAMES]
        other_cookies = httpx.get(
            f"{served.address}health/", headers={"Cookie": f'a="b; {cookie_of(client)}; c=é'.encode()}
        )
    with explored(demo.db, tmp_path, environment) as later:
        assert later.token != served.token
        assert httpx.get(f"{later.address}?access_token={served.token}").status_code == 401

    answers = [first, deep, elsewhere, again, old]
    assert {answer.status_code for answer in answers} == {303}
    assert [answer.headers["location"] for answer in answers] == [
        "/inventory/",
        "/changes/?a=b%26c&d=",
        "/evil.example/",
        "/health/",
        "/health/",
    ]
    assert re.fullmatch(
        r"cloudflare_oauth_\d+=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict", first.headers["set-cookie"]
    )
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    for answer in [*answers, *pages]:
        assert served.token not in answer.text + str(answer.headers)
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert {page.status_code for page in [*pages, other_cookies]} == {200}


def test_requests_of_other_sites_are_refused(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Another origin and a host name rebound to this machine get 403, without CORS headers, cookie or not."""
    with explored(demo.db, tmp_path, environment) as served, served.client() as client:
        own = served.address.rstrip("/")
        port = own.rpartition(":")[2]
        answers = [
            client.get("/inventory/", headers=headers)
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Origin": "http://127.0.0.1:1"},
                {"Origin": "http://127.0.0.1"},
                {"Host": f"evil.example:{port}"},
                {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
                {"Host": f"127.0.0.1.evil.example:{port}"},
                {"Host": "192.0.2.1"},
                {"Host": ""},
            )
        ]
        answer = client.get("/inventory/", headers={"Origin": own})
        cookie = cookie_of(client)
        sockets = [
            opened_websocket(served, cookie=cookie, origin=origin)
            for origin in ("https://evil.example", "null", "http://127.0.0.1:1", own)
        ]

    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
    assert answer.status_code == 200
    assert sockets == [403, 403, 403, 101]


@pytest.mark.variants(1)
@pytest.mark.parametrize("told", ["options", "environment"])
def test_a_host_name_is_served_if_it_is_allowed(
    demo: Target, tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    """On all addresses: loopback, every IP address and the allowed names; others get 403, which says why."""
    names = ("Pages.example.", "büro.example", "other.example")
    options = ["--no-browser", "--host", "0.0.0.0"]
    if told == "options":
        options += [part for name in names for part in ("--allow-host", name)]
    else:
        environment |= {"CLOUDFLARE_OAUTH_ALLOW_HOST": f"{names[0]},{names[1]} {names[2]}"}
    with (
        explored(demo.db, tmp_path, environment, *options, warning=UNENCRYPTED) as served,
        served.client() as client,
    ):
        port = served.address.rstrip("/").rpartition(":")[2]
        served_hosts = ["localhost", "127.0.0.1", "192.0.2.1", "[2001:db8::1]", "pages.example"]
        served_hosts += ["PAGES.example.", "xn--bro-hoa.example", "other.example"]
        good = [
            client.get("/health/", headers={"Host": host + end, "Cookie": cookie_of(client)}).status_code
            for host in served_hosts
            for end in ("", f":{port}")
        ]
        refused = {
            host: client.get("/health/", headers={"Host": host})
            for host in ("evil.example", "pages.example.evil.example", 'x"<script>', "a\x1b[31m", "$(id)")
        }
        # A proxy with TLS passes the browser's origin on, and perhaps a host name of its own.
        origins = [
            client.get("/health/", headers={"Origin": origin}).status_code
            for origin in ("https://pages.example", "https://pages.example:1", "https://evil.example")
        ]

    assert served.address.startswith("http://127.0.0.1:")
    assert set(good) == {200}
    assert {answer.status_code for answer in refused.values()} == {403}
    assert all("--allow-host NAME" in answer.text for answer in refused.values())
    assert all("CLOUDFLARE_OAUTH_ALLOW_HOST" in answer.text for answer in refused.values())
    shown = [answer.text.split()[3] for answer in refused.values()]
    assert shown == [
        "evil.example",
        "pages.example.evil.example",
        "x%22%3Cscript%3E",
        "a%1B[31m",
        "%24%28id%29",
    ]
    assert origins == [200, 403, 403]


def test_the_token_can_be_left_to_a_proxy(demo: Target, tmp_path: Path, environment: dict[str, str]) -> None:
    """`--no-token` asks for none, still refuses other hosts and sites, and warns."""
    with explored(demo.db, tmp_path, environment, "--no-browser", "--no-token", warning=NO_TOKEN) as served:
        answers = [
            httpx.get(f"{served.address}health/", headers=headers)
            for headers in ({}, {"Host": "evil.example"}, {"Origin": "https://evil.example"})
        ]
        socket = opened_websocket(served)

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", served.printed)
    assert [answer.status_code for answer in answers] == [200, 403, 403]
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert socket == 101


def test_behind_tls_the_cookie_is_sent_by_tls_only(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A proxy on this machine says so with `X-Forwarded-Proto`."""
    with explored(demo.db, tmp_path, environment) as served:
        answer = httpx.get(served.printed, headers={"X-Forwarded-Proto": "https"})

    assert answer.headers["set-cookie"].endswith("; Secure")


def test_a_browser_is_opened_with_a_token_for_one_use(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The list of processes shows a browser's address to all users of the machine."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > "$0.told" && mv "$0.told" "$0.opened" && : > "$0.pipe"\n')
    browser.chmod(0o755)
    pipe = tmp_path / "browser.pipe"
    os.mkfifo(pipe)
    with explored(demo.db, tmp_path, environment | {"BROWSER": f"{browser} %s"}, "--port", "0") as served:
        # Waits until the browser has been started.
        pipe.read_text()
        opened = Served((tmp_path / "browser.opened").read_text())
        answers = [httpx.get(opened.printed).status_code for _ in range(2)]
        answers += [httpx.get(served.printed).status_code for _ in range(2)]

    assert (opened.address, len(opened.token)) == (served.address, len(served.token))
    assert opened.token != served.token
    assert answers == [303, 401, 303, 303]
