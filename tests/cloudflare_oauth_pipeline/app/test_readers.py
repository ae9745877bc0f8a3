"""Who reads the dataset keeps no other reader out, and says plainly when a sync does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.commands import DB, Run

READERS = (("findings",), ("changes",), ("sync", "--dry-run"), ("explore", "--export", "pages"))
READ = "open_for_reading(target) as opened, opened.sql_client() as client"
HOLD = """
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_reading, open_pipeline
from cloudflare_oauth_pipeline.destinations.target import Target
target = Target()
with {opened}:
    print("open", flush=True)
    input()
"""


@contextmanager
def held(opened: str) -> Iterator[int]:
    """Another process has the dataset open; gives its id."""
    command = [sys.executable, "-c", HOLD.format(opened=opened)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate("\n", timeout=20)


@pytest.fixture
def synced(api: FakeApi, run: Run) -> None:
    api.organisation.add(account_id("one"), client_id="1")
    run("sync")


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("configured", [False, True], ids=["by option", "by dlt"])
def test_everybody_reads_at_the_same_time(
    run: Run, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """Whether `--db` names the file or dlt's configuration does."""
    if configured:
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{DB}")
    with held(READ):
        done = {command: run(*command) for command in READERS}

    assert {command: (one.exit_code, one.stderr) for command, one in done.items() if one.exit_code} == {}


@pytest.mark.usefixtures("synced")
def test_while_a_sync_runs_a_reader_says_who_has_the_file(run: Run) -> None:
    """And what to do; nothing is shown in part."""
    with held("open_pipeline(target)") as process_id:
        done = {command: run(*command) for command in READERS}

    for one in done.values():
        assert (one.exit_code, one.stdout) == (1, "")
        assert f"{DB} is open in process {process_id}: a sync, a notebook or a DuckDB shell" in one.stderr
