"""Reading begins before dlt is imported, and never believes what it read before somebody else wrote."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudflare_oauth.reading import process as reader_process
from cloudflare_oauth.reading.reader import OpenReader
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.errors import UsageError
from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from cloudflare_oauth_pipeline.run.head_start import begin_to_read
from cloudflare_oauth_pipeline.run.sync import sync
from tests.cloudflare_oauth_pipeline.app.test_readers import held
from tests.support.commands import DB, Run, rows

A = account_id("a")
LOG = "SELECT client_id, change FROM oauth_client_changes ORDER BY change, client_id"


@pytest.fixture(autouse=True)
def nothing_begun(run: Run) -> None:
    """The folder and the environment of `run`; what earlier tests began is over."""
    reader_process.give_up()


def begun(target: Target | None = None, **options: object) -> OpenReader:
    given = {"account_ids": None, "exclude_account_ids": (), "concurrency": 8, "quota_share": 0.9}
    return begin_to_read(target or Target(), **given | options)  # type: ignore[arg-type]


def test_it_reads_while_dlt_is_still_imported(api: FakeApi, tmp_path: Path) -> None:
    """Accounts and clients are asked for by the program before dlt's first line has been run."""
    for number in range(60):
        api.organisation.add(A, client_id=f"client-{number}")
    slow = tmp_path / "slow" / "dlt"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text("import sys\nsys.exit(sys.stdin.read())")
    environment = os.environ | {"PYTHONPATH": str(slow.parent)}
    command = [sys.executable, "-m", "cloudflare_oauth_pipeline", "sync"]

    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as program:
        api.requests.wait_for(3)
        assert program.poll() is None
        program.communicate(timeout=20)

    assert program.returncode == 1
    assert [request.account_id for request in api.requests] == [None, A, A]


@pytest.mark.parametrize("is_new", [True, False], ids=["a new file", "a file of an earlier sync"])
def test_what_was_read_is_not_read_again(api: FakeApi, run: Run, is_new: bool) -> None:
    """One request an account and two more, as without it."""
    api.organisation.add(A, client_id="one")
    if not is_new:
        run("sync")
    api.requests.clear()

    open_reader = begun()
    api.requests.wait_for(2)
    summary = sync(open_reader=open_reader)

    assert (summary.status, summary.requests, len(api.requests)) == ("complete", 3, 3)


@pytest.mark.parametrize("is_new", [True, False], ids=["a new file", "a file of an earlier sync"])
def test_what_somebody_else_has_stored_since_is_no_deletion(api: FakeApi, run: Run, is_new: bool) -> None:
    """Another sync saw a client that came after ours had begun to read: ours reads anew."""
    for number in range(9):
        api.organisation.add(A, client_id=f"client-{number}")
    if not is_new:
        run("sync")
    api.requests.clear()
    open_reader = begun()
    api.requests.wait_for(2)
    api.organisation.add(A, client_id="new")
    api.organisation.change(A, "client-0", client_name="Changed")
    assert sync().status == "complete"
    log = rows(LOG)

    summary = sync(open_reader=open_reader)

    assert (summary.status, summary.clients["unchanged"]) == ("complete", 10)
    assert rows("SELECT client_id FROM oauth_clients WHERE client_id = 'new' OR client_name = 'Changed'")
    assert rows(LOG) == log


def test_whoever_finds_the_file_in_use_asks_for_nothing(api: FakeApi, run: Run) -> None:
    """Another process is going to be told of, so nothing is read for a sync that cannot be."""
    api.organisation.add(A, client_id="one")
    run("sync")
    api.requests.clear()

    with held("open_pipeline(target)"):
        assert begun() is reader_process.open_reader_process
        done = run("sync", "--format", "json")

    assert (done.exit_code, done.json["requests"]) == (1, 0)
    assert not api.requests


def test_wrong_usage_is_found_before_anything_is_read(api: FakeApi) -> None:
    """Of the file, as of the accounts."""
    with pytest.raises(UsageError, match="does not exist"):
        begun(Target(db=Path("missing", "clients.duckdb")))
    with pytest.raises(UsageError, match="named as the dataset"):
        begun(Target(db=Path("cloudflare.duckdb")))

    assert begun(account_ids=["no account"]) is reader_process.open_reader_process
    assert not api.requests


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{DB}"),
        ("RUNTIME__REQUEST_TIMEOUT", "soon"),
        ("RUNTIME__DLTHUB_TELEMETRY", "perhaps"),
    ],
)
def test_what_dlt_has_to_say_first_is_waited_for(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It may be wrong, or another database: nothing is read before that is known."""
    monkeypatch.setenv(name, value)

    assert begun() is reader_process.open_reader_process
    assert begun(Target(destination="postgres")) is reader_process.open_reader_process
    assert not api.requests
