"""The example for Airflow, run by Airflow."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.orchestration.killed_shard import VARIABLE
from tests.orchestration.two_tokens import (
    TOKENS,
    A,
    B,
    C,
    D,
    TwoTokens,
    content_of_one_sync,
    without_account_syncs,
)
from tests.support.warehouses import Postgres

# Not by `importorskip`: importing Airflow makes a folder in the home.
if not find_spec("airflow"):
    pytest.skip("Airflow is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an Airflow whose database is ready."""
    home = tmp_path_factory.mktemp("airflow")
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, capture_output=True, env=environment_of(home))
    return home


def environment_of(home: Path) -> dict[str, str]:
    """The variables of an Airflow in this folder."""
    folders = os.pathsep.join(map(str, (ROOT, ROOT / "sources", ROOT / "pipelines")))
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "pipelines" / "orchestration"),
        "PYTHONPATH": folders,
    }


@pytest.fixture
def run(airflow_home: Path) -> Run:
    """Runs the DAG once; its output has the logs of all tasks."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.orchestration.run_airflow", *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment_of(airflow_home),
        )

    return run


def test_both_tokens_together_write_what_one_sync_writes(
    both: TwoTokens,
    server: Postgres,
    run: Run,
    airflow_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Row for row; neither the logs nor Airflow's database holds a token."""
    done = run()

    assert done.returncode == 0, done.stdout
    assert both.warehouse.content() == content_of_one_sync(server, tmp_path, monkeypatch)
    database = (airflow_home / "airflow.db").read_bytes()
    assert A.encode() in database
    for token in TOKENS.values():
        assert token not in done.stdout
        assert token.encode() not in database


def test_a_refused_token_fails_the_run_and_is_named(both: TwoTokens, run: Run) -> None:
    """The other token's accounts are loaded; the accounts that only the refused one sees keep their rows."""
    first = run()
    assert first.returncode == 0, first.stdout
    both.apis["apac"].organisation.add(D, client_id="unseen")
    both.apis["emea"].organisation.add(A, client_id="new")
    both.revoke("apac")

    done = run()

    assert done.returncode == 1, done.stdout
    assert "tokens refused: apac" in done.stdout
    assert both.accounts() == {A: 4, B: 3, C: 3, D: 3}


def test_a_shard_that_fails_does_not_stop_the_others(both: TwoTokens, run: Run) -> None:
    """It is tried again, and fails the run in the end."""
    done = run("emea_1")

    assert done.returncode == 1, done.stdout
    assert done.stdout.count("attempt to sync emea_1") == 3
    assert "Sync failed" in done.stdout
    assert A not in both.accounts() and D in both.accounts()


@pytest.mark.parametrize(
    ("shard", "stage", "nth"),
    # Airflow takes the shards in any order: the second one that it syncs, or the one with two accounts.
    [("2", "after-copy", 2), ("2", "after-commit_in_postgres", 1), ("emea_1", "after-job", 4)],
)
def test_a_run_killed_while_a_shard_is_written_can_be_repeated(
    both: TwoTokens,
    server: Postgres,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shard: str,
    stage: str,
    nth: int,
) -> None:
    """The next run makes the dataset, row for row, what one sync writes."""
    attempts = tmp_path / "attempts"
    monkeypatch.setenv(VARIABLE, f"{shard} {stage} {nth} 1 {attempts}")

    killed = run()

    assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert attempts.exists()
    assert both.accounts()
    whole = without_account_syncs(content_of_one_sync(server, tmp_path, monkeypatch))
    assert both.content() != whole

    done = run()

    assert done.returncode == 0, done.stdout
    assert both.content() == whole


def test_an_empty_token_fails_the_run_and_its_variable_is_named(
    both: TwoTokens, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other token is used in its place; the other shards are loaded."""
    both.replace_token("emea", "ambient")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "ambient")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN_EMEA", "")

    done = run()

    assert done.returncode == 1, done.stdout
    assert "tokens refused: emea" in done.stdout
    assert "CLOUDFLARE_API_TOKEN_EMEA is empty" in done.stdout
    assert not both.apis["emea"].requests
    assert both.accounts() == {B: 3, C: 3, D: 3}
