"""The server's process, as the benchmark sees it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .server import BASE_PATH


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is served, and how; `quota_limit` None is no quota."""

    accounts: int = 20
    clients_per_account: int = 1_000
    latency_ms: float = 0
    quota_limit: int | None = None
    quota_seconds: float = 300


@dataclass(frozen=True)
class Stats:
    """What the server has counted; `rows` is how many there are to load, by table."""

    requests: int
    violations: int
    windows: list[int]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class ServerProcess:
    """A server that runs."""

    port: int

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT/client/v4`."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def stats(self) -> Stats:
        """What has been counted since it began to count."""
        return self._stats("GET")

    def count_anew(self) -> None:
        """Begin to count anew, also the quota."""
        self._stats("DELETE")

    def _stats(self, method: str) -> Stats:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, "/stats")
            return Stats(**json.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextmanager
def serving(scenario: Scenario) -> Iterator[ServerProcess]:
    """A server for as long as the `with` block lasts."""
    command = [sys.executable, "-m", "benchmarks.server"]
    command += ["--accounts", str(scenario.accounts), "--clients", str(scenario.clients_per_account)]
    command += ["--latency-ms", str(scenario.latency_ms)]
    if scenario.quota_limit is not None:
        command += [
            "--quota-limit",
            str(scenario.quota_limit),
            "--quota-seconds",
            str(scenario.quota_seconds),
        ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        yield ServerProcess(int(process.stdout.readline()))
        # Its end is the server's.
        process.stdin.close()
