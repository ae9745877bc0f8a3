"""The benchmark itself, in the smallest size that shows what it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.errors import BenchmarkError
from benchmarks.rounds import run_rounds
from benchmarks.server_process import Scenario

ROOT = Path(__file__).parents[2]


def benchmark(tmp_path: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What `python -m benchmarks` prints, and its JSON."""
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


def test_every_contender_loads_the_same_rows(tmp_path: Path) -> None:
    """A sync makes exactly as many requests as there are pages: 1 + 1 + 2 accounts of 2."""
    printed, result = benchmark(tmp_path, "--accounts", "2", "--clients", "60")

    assert [contender["name"] for contender in result["contenders"]] == [one.name for one in CONTENDERS]
    assert all(contender["name"] in printed for contender in result["contenders"])
    assert result["rows"]["oauth_clients"] == 120
    requests = {contender["name"]: contender["requests"] for contender in result["contenders"]}
    assert requests["sync-first"] == requests["sync-nothing-new"] == requests["floor"] == 6
    for contender in result["contenders"]:
        (run,) = contender["runs"]
        assert 0 < run["wall_seconds"] < 60
        assert 0 < run["cpu_seconds"] < 60
        assert 30 < run["peak_mb"] < 1_000


def test_a_sync_keeps_to_an_enforced_quota_and_uses_it(tmp_path: Path) -> None:
    """40 requests in 4 seconds, of which 36 are its share; 2 + 1 + 80 are needed."""
    printed, result = benchmark(
        tmp_path, "--only", "sync-first", "--accounts", "80", "--clients", "10", "--quota", "40/4"
    )

    (sync,) = result["contenders"]
    assert sync["requests"] == 2 + 1 + 80
    assert sync["violations"] == 0
    assert 0.9 * 0.85 <= sync["quota_used"] <= 0.9
    assert "violations" in printed


def test_a_contender_that_loads_less_ends_the_benchmark() -> None:
    """Its time would mean nothing."""
    lazy = Contender("lazy", "loads nothing", ("tests.support.loads_nothing",))

    with pytest.raises(BenchmarkError, match=r"lazy loaded \{\}; the server has \{'oauth_clients': 3"):
        run_rounds(Scenario(accounts=1, clients_per_account=3), [lazy], rounds=1)


def test_a_contender_that_fails_ends_the_benchmark() -> None:
    """With what it said."""
    broken = Contender("broken", "does not exist", ("tests.benchmarks.no_such_module",))

    with pytest.raises(BenchmarkError, match=r"(?s)ended with code 1.*No module named"):
        run_rounds(Scenario(accounts=1, clients_per_account=3), [broken], rounds=1)
