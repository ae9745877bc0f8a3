"""Long runs load what they have read as they go, and can be resumed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import events
from cloudflare_oauth.inventory.run import Rows
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.errors import InterruptedSyncError
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run import batching as batches
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Run, rows

ACCOUNTS = [account_id(number) for number in range(6)]


@pytest.fixture
def organisation(api: FakeApi) -> None:
    for account in ACCOUNTS:
        for number in range(3):
            api.organisation.add(account, client_id=str(number), scopes=["zone.read"])


def run_sync(api: FakeApi, folder: Path, **arguments: Any) -> Summary:
    target = Target(db=folder / "clients.duckdb", pipelines_dir=folder / "dlt")
    return sync(target, api_token=FAKE_TOKEN, base_url=api.base_url, concurrency=1, **arguments)


def stored(folder: Path, query: str) -> list[tuple[Any, ...]]:
    return rows(query, db=str(folder / "clients.duckdb"))


def test_a_batch_is_whole_pieces_up_to_so_many_rows() -> None:
    """Never a part of a piece, never an empty batch, and nothing is lost."""
    pieces = [{"a": [{}] * size} for size in (0, 3, 1, 0, 5, 1, 1, 0, 0)]

    cut = [[len(piece["a"]) for piece in batch] for batch in batches.cut(iter(pieces), rows=4)]

    assert cut == [[3, 1], [5], [1, 1, 0, 0]]


def test_a_batch_ends_after_so_many_seconds() -> None:
    """Also if few rows have come, and nothing more comes for a while."""
    pieces = [{"a": [{}]}] * 3

    assert len(list(map(list, batches.cut(iter(pieces), rows=100, seconds=0)))) == 3

    def silence() -> Iterator[Rows]:
        yield {"a": [{}]}
        while True:
            yield {}

    assert next(map(list, batches.cut(silence(), seconds=0.01)))[0] == {"a": [{}]}


@pytest.mark.usefixtures("organisation")
def test_batches_load_the_same_as_one_load(api: FakeApi, tmp_path: Path) -> None:
    """Every account in a load of its own, each with its row in `account_syncs`."""
    summary = run_sync(api, tmp_path, batch_rows=1)

    assert summary.status == "complete"
    assert stored(tmp_path, "SELECT count(*), count(DISTINCT _dlt_load_id) FROM oauth_clients") == [(18, 6)]
    assert stored(tmp_path, "SELECT count(*) FROM oauth_client_changes WHERE change = 'baseline'") == [(18,)]
    assert stored(tmp_path, "SELECT count(*) FROM account_syncs WHERE status = 'complete'") == [(6,)]


@pytest.mark.usefixtures("organisation")
def test_a_crash_keeps_what_was_loaded_and_resume_reads_only_the_rest(api: FakeApi, tmp_path: Path) -> None:
    """Interrupted while the fourth account is compared; the resumed sync does not ask for the first three."""

    def interrupt(event: events.Event) -> None:
        if isinstance(event, events.AccountDone) and event.account_sync["account_id"] == ACCOUNTS[3]:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedSyncError, match="3 of 6 accounts were loaded"):
        run_sync(api, tmp_path, batch_rows=1, observer=interrupt)
    assert stored(tmp_path, "SELECT count(DISTINCT account_id) FROM oauth_clients") == [(3,)]
    api.requests.clear()

    summary = run_sync(api, tmp_path, resume_within=timedelta(hours=1))

    assert {request.account_id for request in api.requests} - {None} == set(ACCOUNTS[3:])
    assert (summary.status, summary.accounts) == ("complete", {"complete": 3})
    assert stored(tmp_path, "SELECT count(*) FROM oauth_clients") == [(18,)]
    assert stored(tmp_path, "SELECT count(*) FROM oauth_client_changes") == [(18,)]


@pytest.mark.usefixtures("organisation")
def test_resume_leaves_out_only_what_was_read_completely_and_recently(api: FakeApi, run: Run) -> None:
    """Not what was forbidden, and nothing if the last time is too long ago."""
    api.behaviour.forbid(ACCOUNTS[0])
    run("sync")
    api.behaviour.allow(ACCOUNTS[0])

    resumed = run("sync", "--resume", "1h", "--format", "json")
    again = run("sync", "--resume", "0m", "--format", "json")

    assert resumed.json["accounts"] == {"complete": 1}
    assert "5 of 6 accounts were read completely" in resumed.stderr
    assert again.json["accounts"] == {"complete": 6}
    assert run("sync", "--resume", "soon").exit_code == 2
