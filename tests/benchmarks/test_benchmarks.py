"""The benchmark, at the smallest size that shows what it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.contenders import DESTINATIONS, Contender, contenders
from benchmarks.errors import BenchmarkError
from benchmarks.rounds import run_rounds
from benchmarks.server_process import Scenario, serving

ROOT = Path(__file__).parents[2]


def benchmark(tmp_path: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run `python -m benchmarks`; return its standard output and its JSON."""
    json_file = tmp_path / "benchmark.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1", "--json", json_file, *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(json_file.read_text())


@pytest.mark.scale
@pytest.mark.parametrize("destination", DESTINATIONS if "SWEEP" in os.environ else DESTINATIONS[:1])
def test_every_contender_loads_the_same_rows(tmp_path: Path, destination: str) -> None:
    """Tables agree, and a sync makes exactly one request per page: 1 + 1 + 2 for each of 2 accounts."""
    printed, result = benchmark(tmp_path, "--destination", destination, "--accounts", "2", "--clients", "60")

    compared = contenders(destination)
    assert [contender["name"] for contender in result["contenders"]] == [one.name for one in compared]
    assert f"of {compared[-1].name}" in printed
    assert all(contender["name"] in printed for contender in result["contenders"])
    assert result["rows"]["oauth_clients"] == 120
    requests = {contender["name"]: contender["requests"] for contender in result["contenders"]}
    assert requests["sync-first"] == requests["sync-nothing-new"] == requests.get("floor", 6) == 6
    for contender in result["contenders"]:
        (run,) = contender["runs"]
        assert 0 < run["wall_seconds"] < 60
        assert 0 < run["cpu_seconds"] < 60
        assert 30 < run["peak_mb"] < 1_000


@pytest.mark.scale
def test_a_sync_keeps_to_an_enforced_rate_limit_and_uses_it(tmp_path: Path) -> None:
    """A sync that needs 2 + 1 + 80 requests uses nearly all of its 36 of 40 per 4 seconds, and no more."""
    printed, result = benchmark(
        tmp_path, "--only", "sync-first", "--accounts", "80", "--clients", "10", "--quota", "40/4"
    )

    (sync,) = result["contenders"]
    assert sync["requests"] == 2 + 1 + 80
    assert sync["violations"] == 0
    assert 0.9 * 0.85 <= sync["quota_used"] <= 0.9
    assert "violations" in printed


@pytest.mark.scale
@pytest.mark.timed
def test_several_tokens_load_what_one_does_and_share_the_requests() -> None:
    """Each token has a quota of its own: what makes one wait is nothing for two; no request is refused."""
    options = ["--tokens", "1", "2", "--accounts", "60", "--clients", "1"]
    quota = ["--quota-limit", "50", "--quota-seconds", "8"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.shards", *options, *quota],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    one, two = ([cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines()[-3:-1])
    # Each token lists the accounts, on two pages; each sync checks nothing but its own.
    assert [one[4], two[4]] == ["63", "65"]
    assert [one[5], two[5]] == ["0", "0"]
    assert float(one[2]) > max(8, float(two[2]))


def test_a_contender_that_loads_less_ends_the_benchmark() -> None:
    """The time of a contender that loads too little means nothing, so the benchmark fails."""
    lazy = Contender("lazy", "loads nothing", ("tests.support.loads_nothing",))

    with pytest.raises(BenchmarkError, match=r"lazy loaded \{\}; the server has \{'oauth_clients': 3"):
        run_rounds(Scenario(accounts=1, clients_per_account=3), [lazy], rounds=1)


def test_a_contender_that_fails_ends_the_benchmark() -> None:
    """The error contains the exit code and the output of the contender."""
    broken = Contender("broken", "does not exist", ("tests.benchmarks.no_such_module",))

    with pytest.raises(BenchmarkError, match=r"(?s)ended with code 1.*No module named"):
        run_rounds(Scenario(accounts=1, clients_per_account=3), [broken], rounds=1)


def test_the_server_refuses_what_exceeds_the_rate_limit() -> None:
    """A violation is answered with 429 and blocks for a window; the current one is not counted."""
    scenario = Scenario(accounts=1, clients_per_account=1, quota_limit=2, quota_seconds=60)

    with serving(scenario) as server:
        responses = [httpx.get(f"{server.base_url}/oauth/scopes") for _ in range(3)]
        stats = server.stats()
        server.reset_counts()
        allowed_again = httpx.get(f"{server.base_url}/accounts")
        stats_after_reset = server.stats()

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[0].headers["ratelimit"] == '"default";r=1;t=60'
    assert responses[2].headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert responses[2].headers["retry-after"] == "60"
    assert (stats.requests, stats.violations, stats.windows) == (3, 1, [])
    assert allowed_again.status_code == 200
    assert (stats_after_reset.requests, stats_after_reset.violations, stats_after_reset.windows) == (
        1,
        0,
        [],
    )
