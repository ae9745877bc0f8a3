"""The benchmark server: `python -m benchmarks.server --accounts 20 --clients 1000`.

It prints its port when it is ready and ends when its standard input does, so that it never outlives
whoever started it. Requests have no body; `GET /stats` says what was counted, `DELETE /stats` begins
to count anew.
"""

import argparse
import asyncio
import gc
import json
import re
import sys
from urllib.parse import parse_qs

from .organisation import DEFAULT_PER_PAGE, MAX_PER_PAGE, Organisation
from .rate_limit import RateLimit

BASE_PATH = "/client/v4"

_REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests"}
_CLIENTS_PATH = re.compile(rf"{BASE_PATH}/accounts/([0-9a-f]{{32}})/oauth_clients")
_UNKNOWN = {"success": False, "errors": [{"code": 7003, "message": "No such route"}], "result": None}
_REFUSED = {"success": False, "errors": [{"code": 971, "message": "Rate limited"}], "result": None}


class Api:
    """Answers requests and counts them."""

    def __init__(self, organisation: Organisation, quota: RateLimit) -> None:
        self._estate = organisation
        self._quota = quota

    def answer(self, method: str, target: str) -> bytes:
        """The whole answer, from its status line on."""
        path, _, query = target.partition("?")
        if path == "/stats":
            if method == "DELETE":
                self._quota.forget()
            return _answer(200, b"", self._stats())
        allowed, lines = self._quota.spend()
        if not allowed:
            return _answer(429, lines, json.dumps(_REFUSED).encode())
        body = self._found(path, query)
        if body is None:
            return _answer(404, lines, json.dumps(_UNKNOWN).encode())
        return _answer(200, lines, body)

    def _found(self, path: str, query: str) -> bytes | None:
        if path == f"{BASE_PATH}/oauth/scopes":
            return self._estate.scopes
        parameters = parse_qs(query)
        page = int(parameters.get("page", ["1"])[0])
        per_page = min(int(parameters.get("per_page", [str(DEFAULT_PER_PAGE)])[0]), MAX_PER_PAGE)
        if path == f"{BASE_PATH}/accounts":
            return self._estate.accounts(page, per_page)
        listing = _CLIENTS_PATH.fullmatch(path)
        return self._estate.oauth_clients(listing[1], page, per_page) if listing else None

    def _stats(self) -> bytes:
        quota = self._quota
        told = {
            "requests": quota.requests,
            "violations": quota.violations,
            "windows": quota.windows,
            "rows": self._estate.rows,
        }
        return json.dumps(told).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, api: Api, latency_seconds: float) -> None:
        self._api = api
        self._latency_seconds = latency_seconds
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one, as this is TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived whole."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            is_last = b"connection: close" in head.lower()
            if self._latency_seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._latency_seconds, self._answer, method, target, is_last)
            else:
                self._answer(method, target, is_last)

    def _answer(self, method: str, target: str, is_last: bool) -> None:
        self._transport.write(self._api.answer(method, target))
        if is_last:
            self._transport.close()


def _answer(status: int, lines: bytes, body: bytes) -> bytes:
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
    # Nothing of the organisation is ever garbage: the collector need not look at it.
    gc.freeze()
    api = Api(organisation, RateLimit(given.quota_limit, given.quota_seconds))
    asyncio.run(_serve(api, given.latency_ms / 1000))


if __name__ == "__main__":
    main()
