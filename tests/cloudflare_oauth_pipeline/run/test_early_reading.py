"""Reading begins before dlt is imported, and only while no other process can write to the file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudflare_oauth import BusyError, ConfigurationError, SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from cloudflare_oauth_pipeline.run.early_reading import begin_to_read
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import DB, Run, rows
from tests.support.holding import WRITE, held

A = account_id("a")
PROGRAM = [sys.executable, "-m", "cloudflare_oauth_pipeline", "sync"]

# The folder and the environment of `run`.
pytestmark = pytest.mark.usefixtures("run")


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without variables of dlt, such as those that `make test` sets."""
    for name in os.environ:
        if "__" in name.strip("_"):
            monkeypatch.delenv(name)


def test_reading_begins_before_dlt_is_imported(api: FakeApi, tmp_path: Path) -> None:
    """The program requests accounts and clients before the first line of dlt has run."""
    for number in range(60):
        api.organisation.add(A, client_id=f"client-{number}")
    slow = tmp_path / "slow" / "dlt"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text("import sys\nsys.exit(sys.stdin.read())")
    environment = os.environ | {"PYTHONPATH": str(slow.parent)}

    with subprocess.Popen(PROGRAM, env=environment, stdin=subprocess.PIPE) as program:
        api.requests.wait_for(3)
        assert program.poll() is None
        program.communicate(timeout=20)

    assert program.returncode == 1
    assert [request.account_id for request in api.requests] == [None, A, A]


@pytest.mark.parametrize("is_new", [True, False], ids=["a new file", "a file of an earlier sync"])
def test_what_was_read_early_is_not_read_again(api: FakeApi, run: Run, is_new: bool) -> None:
    """A sync sends one request per account and two more, as it does without early reading."""
    api.organisation.add(A, client_id="one")
    if not is_new:
        run("sync")
    api.requests.clear()

    with begin_to_read(Target(), SyncSettings()) as open_reader:
        api.requests.wait_for(2)
        summary = sync(open_reader=open_reader)

    assert (summary.status, summary.requests, len(api.requests)) == ("complete", 3, 3)


@pytest.mark.parametrize("is_new", [True, False], ids=["a new file", "a file of an earlier sync"])
def test_no_other_sync_can_write_after_the_first_early_request(api: FakeApi, run: Run, is_new: bool) -> None:
    """Otherwise a client that the other sync adds would be missing in the older listing and look deleted."""
    api.organisation.add(A, client_id="one")
    if not is_new:
        run("sync")
    api.requests.clear()

    with begin_to_read(Target(), SyncSettings()) as open_reader:
        api.requests.wait_for(2)
        other = subprocess.run(PROGRAM, capture_output=True, text=True, check=False)
        requests = len(api.requests)
        summary = sync(open_reader=open_reader)

    assert (other.returncode, requests) == (1, 2)
    assert f"{DB} is open in process {os.getpid()}" in other.stderr
    assert summary.status == "complete"
    assert rows("SELECT client_id FROM oauth_clients") == [("one",)]


def test_a_file_in_use_prevents_early_requests(api: FakeApi, run: Run) -> None:
    """The sync is about to fail, so it reads nothing."""
    api.organisation.add(A, client_id="one")
    run("sync")
    api.requests.clear()

    with held(WRITE):
        with (
            begin_to_read(Target(), SyncSettings()) as open_reader,
            pytest.raises(BusyError, match="is running on this machine"),
        ):
            sync(open_reader=open_reader)
        done = run("sync", "--format", "json")

    assert (done.exit_code, done.json["requests"]) == (1, 0)
    assert not api.requests


def test_a_reader_that_no_sync_takes_is_ended(api: FakeApi) -> None:
    """After the context no process is left that sends requests."""
    api.organisation.add(A, client_id="one")
    api.behaviour.latency_seconds = 0.05

    with begin_to_read(Target(), SyncSettings()):
        api.requests.wait_for(1)
    requests = len(api.requests)

    assert sync().status == "complete"
    assert len(api.requests) == requests + 3


def test_wrong_usage_is_refused_before_any_request(api: FakeApi) -> None:
    """A file that cannot hold the dataset is refused, and no request is sent."""
    with (
        pytest.raises(ConfigurationError, match="does not exist"),
        begin_to_read(Target(db=Path("missing", "clients.duckdb")), SyncSettings()),
    ):
        pass
    with (
        pytest.raises(ConfigurationError, match="named as the dataset"),
        begin_to_read(Target(db=Path("cloudflare.duckdb")), SyncSettings()),
    ):
        pass

    assert not api.requests


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{DB}"),
        ("RUNTIME__REQUEST_TIMEOUT", "soon"),
        ("RUNTIME__DLTHUB_TELEMETRY", "perhaps"),
    ],
)
def test_a_variable_that_may_configure_dlt_prevents_early_reading(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It may be wrong or name another database: no file is created and no request sent."""
    monkeypatch.setenv(name, value)

    for target in (Target(), Target(destination="postgres")):
        with begin_to_read(target, SyncSettings()):
            assert not Path(DB).exists()

    assert not api.requests
