"""The benchmark server: `python -m benchmarks.server --accounts 20 --clients 1000`.

It prints its port when it is ready, and ends when its standard input does, so that it never outlives
its parent. Requests have no body. `GET /stats` returns the counts, `DELETE /stats` resets them.
"""

import argparse
import asyncio
import gc
import json
import re
import sys
from collections.abc import Callable
from urllib.parse import parse_qs

from cloudflare_oauth_pipeline.fake_api.rate_limit import RateLimit, unlimited

from .organisation import BASE_PATH, DEFAULT_PER_PAGE, MAX_PER_PAGE, Organisation

_REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests"}
_CLIENTS_PATH = re.compile(rf"{BASE_PATH}/accounts/([0-9a-f]{{32}})/oauth_clients")
_AUTHORIZATION = re.compile(rb"(?i)\r\nauthorization: *([^\r]+)")
_NO_ROUTE = {"success": False, "errors": [{"code": 7003, "message": "No such route"}], "result": None}
_RATE_LIMITED = {"success": False, "errors": [{"code": 971, "message": "Rate limited"}], "result": None}


class Api:
    """Responds to requests and counts them."""

    def __init__(self, organisation: Organisation, new_rate_limit: Callable[[], RateLimit]) -> None:
        self._organisation = organisation
        self._new_rate_limit = new_rate_limit
        self._reset_counts()

    def respond(self, method: str, target: str, token: bytes) -> bytes:
        """The whole response, status line and headers included; each token has a quota of its own."""
        path, _, query = target.partition("?")
        if path == "/stats":
            if method == "DELETE":
                self._reset_counts()
            return _response(200, b"", self._stats())
        self._requests += 1
        allowance = self._rate_limits.setdefault(token, self._new_rate_limit()).spend()
        lines = "".join(f"{name}: {value}\r\n" for name, value in allowance.headers.items()).encode()
        if allowance.retry_after_seconds is not None:
            return _response(429, lines, json.dumps(_RATE_LIMITED).encode())
        body = self._body(path, query)
        if body is None:
            return _response(404, lines, json.dumps(_NO_ROUTE).encode())
        return _response(200, lines, body)

    def _reset_counts(self) -> None:
        self._requests = 0
        self._rate_limits: dict[bytes, RateLimit] = {}

    def _body(self, path: str, query: str) -> bytes | None:
        if path == f"{BASE_PATH}/oauth/scopes":
            return self._organisation.scopes
        parameters = parse_qs(query)
        page = int(parameters.get("page", ["1"])[0])
        per_page = min(int(parameters.get("per_page", [str(DEFAULT_PER_PAGE)])[0]), MAX_PER_PAGE)
        if path == f"{BASE_PATH}/accounts":
            return self._organisation.accounts(page, per_page)
        listing = _CLIENTS_PATH.fullmatch(path)
        return self._organisation.oauth_clients(listing[1], page, per_page) if listing else None

    def _stats(self) -> bytes:
        limits = self._rate_limits.values()
        stats = {
            "requests": self._requests,
            "violations": sum(len(limit.violations) for limit in limits),
            "windows": [requests for limit in limits for requests in limit.windows[:-1]],
            "rows": self._organisation.rows,
        }
        return json.dumps(stats).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, api: Api, latency_seconds: float) -> None:
        self._api = api
        self._latency_seconds = latency_seconds
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport that responses are written to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one, as this is TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to every request that has arrived completely."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            is_last = b"connection: close" in head.lower()
            token = _AUTHORIZATION.search(head)
            request = (method, target, token[1] if token else b"", is_last)
            if self._latency_seconds:
                asyncio.get_running_loop().call_later(self._latency_seconds, self._respond, *request)
            else:
                self._respond(*request)

    def _respond(self, method: str, target: str, token: bytes, is_last: bool) -> None:
        self._transport.write(self._api.respond(method, target, token))
        if is_last:
            self._transport.close()


def _response(status: int, lines: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
    return head % (status, _REASONS[status], len(body), lines) + body


async def _serve(api: Api, latency_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    server = await loop.create_server(lambda: Connection(api, latency_seconds), "127.0.0.1", 0, backlog=1024)
    loop.add_reader(sys.stdin, ended.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--quota-limit", type=int)
    parser.add_argument("--quota-seconds", type=float, default=300)
    given = parser.parse_args()
    organisation = Organisation(accounts=given.accounts, clients_per_account=given.clients)
    # Objects of the organisation never become garbage: keep the collector from traversing them.
    gc.freeze()
    asyncio.run(_serve(Api(organisation, lambda: _rate_limit(given)), given.latency_ms / 1000))


def _rate_limit(given: argparse.Namespace) -> RateLimit:
    if given.quota_limit is None:
        return unlimited()
    # A violation blocks for the length of a window, as at Cloudflare, where both are 300 seconds.
    return RateLimit(given.quota_limit, given.quota_seconds, block_seconds=given.quota_seconds)


if __name__ == "__main__":
    main()
