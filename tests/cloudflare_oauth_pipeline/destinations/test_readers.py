"""Commands that read the dataset do not lock each other out, and explain when a sync locks them out."""

import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.commands import DB, Run
from tests.support.holding import READ, WRITE, held

READERS = (("findings",), ("changes",), ("sync", "--dry-run"), ("explore", "--export", "pages"))


@pytest.fixture
def synced(api: FakeApi, run: Run) -> None:
    """A dataset with one client."""
    api.organisation.add(account_id("one"), client_id="1")
    run("sync")


@pytest.mark.scale
@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("configured", [False, True], ids=["option", "dlt"])
def test_readers_run_at_the_same_time(run: Run, monkeypatch: pytest.MonkeyPatch, configured: bool) -> None:
    """This holds whether the option `--db` or dlt's configuration names the file."""
    if configured:
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{DB}")
    with held(READ):
        done = {command: run(*command) for command in READERS}

    assert {command: (one.exit_code, one.stderr) for command, one in done.items() if one.exit_code} == {}


@pytest.mark.usefixtures("synced")
def test_during_a_sync_readers_name_the_process_that_holds_the_file(run: Run) -> None:
    """They exit with code 1 and print no partial results."""
    with held(WRITE) as process_id:
        done = {command: run(*command) for command in READERS}

    for one in done.values():
        assert (one.exit_code, one.stdout) == (1, "")
        assert f"{DB} is open in process {process_id}: a sync, a notebook or a DuckDB shell" in one.stderr
