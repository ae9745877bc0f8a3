"""Starts the benchmark server in a process of its own, and reads its counts."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .contenders import IMPORT_PATH
from .organisation import BASE_PATH


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is served, and how; without `quota_limit` no rate limit is enforced."""

    accounts: int = 20
    clients_per_account: int = 1_000
    latency_ms: float = 0
    quota_limit: int | None = None
    quota_seconds: float = 300


@dataclass(frozen=True)
class Stats:
    """What the server has counted.

    Attributes:
        violations: requests beyond the quota of their token.
        windows: the requests in each completed window of the quota, of all tokens.
        rows: the number of rows to load, by table.
    """

    requests: int
    violations: int
    windows: list[int]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class ServerProcess:
    """A running server."""

    port: int

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT/client/v4`."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def stats(self) -> Stats:
        """The counts since the last reset."""
        return self._stats("GET")

    def reset_counts(self) -> None:
        """Reset all counts, including the rate limit's window."""
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
    """Run a server for the duration of a `with` block."""
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
    environment = os.environ | {"PYTHONPATH": IMPORT_PATH}
    with subprocess.Popen(  # noqa: S603 - a module of this tree
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        yield ServerProcess(int(process.stdout.readline()))
        # The server ends when its standard input does.
        process.stdin.close()
