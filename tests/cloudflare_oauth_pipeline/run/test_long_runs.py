"""A long sync loads in batches while it reads, and can be resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import InterruptedSyncError, SyncSettings, events
from cloudflare_oauth.inventory import Rows
from cloudflare_oauth.reading.reader import Reader
from cloudflare_oauth.reading.thread import open_reader_thread
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.batching import batches
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Run, rows

ACCOUNTS = [account_id(number) for number in range(6)]


@pytest.fixture
def organisation(api: FakeApi) -> None:
    for account in ACCOUNTS:
        for number in range(3):
            api.organisation.add(account, client_id=str(number), scopes=["zone.read"])


def run_sync(
    api: FakeApi, folder: Path, *, resume_within: timedelta | None = None, **arguments: Any
) -> Summary:
    target = Target(db=folder / "clients.duckdb", pipelines_dir=folder / "dlt")
    settings = SyncSettings(
        api_token=FAKE_TOKEN, base_url=api.base_url, concurrency=1, resume_within=resume_within
    )
    return sync(target, settings, **arguments)


def stored(folder: Path, query: str) -> list[tuple[Any, ...]]:
    return rows(query, db=str(folder / "clients.duckdb"))


def test_a_batch_holds_whole_pieces_up_to_a_number_of_rows() -> None:
    """No piece is split or lost, and no batch is empty."""
    pieces = [{"a": [{}] * size} for size in (0, 3, 1, 0, 5, 1, 1, 0, 0)]

    cut = [[piece.rows for piece in batch] for batch in batches(iter(pieces), rows=4)]

    assert cut == [[3, 1], [5], [1, 1, 0, 0]]


def test_a_batch_ends_after_a_number_of_seconds() -> None:
    """It ends even if few rows have arrived and none arrive for a while."""
    pieces = [{"a": [{}]}] * 3

    assert len(list(map(list, batches(iter(pieces), rows=100, seconds=0)))) == 3

    def silence() -> Iterator[Rows]:
        yield {"a": [{}]}
        while True:
            yield {}

    assert next(map(list, batches(silence(), seconds=0.01)))[0].content == {"a": [{}]}


@pytest.mark.scale
@pytest.mark.usefixtures("organisation")
def test_batches_load_the_same_rows_as_one_load(api: FakeApi, tmp_path: Path) -> None:
    """With `batch_rows=1` each account has its own load and its row in `account_syncs`."""
    summary = run_sync(api, tmp_path, batch_rows=1)

    assert summary.status == "complete"
    assert stored(tmp_path, "SELECT count(*), count(DISTINCT _dlt_load_id) FROM oauth_clients") == [(18, 6)]
    assert stored(tmp_path, "SELECT count(*) FROM oauth_client_changes WHERE change = 'baseline'") == [(18,)]
    assert stored(tmp_path, "SELECT count(*) FROM account_syncs WHERE status = 'complete'") == [(6,)]


@pytest.mark.usefixtures("organisation")
def test_resume_reads_only_what_an_interrupted_sync_did_not_load(api: FakeApi, tmp_path: Path) -> None:
    """Interrupted during the fourth account and resumed, the sync sends no request for the first three."""

    def interrupt(event: events.Event) -> None:
        if isinstance(event, events.AccountDone) and event.account_id == ACCOUNTS[3]:
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
def test_an_interrupt_stays_one_if_something_cannot_be_closed_after_it(api: FakeApi, tmp_path: Path) -> None:
    """What fails because of it does not hide it: the sync ends in one sentence, not in a traceback."""

    def interrupt(event: events.Event) -> None:
        if isinstance(event, events.AccountDone):
            raise KeyboardInterrupt

    @contextmanager
    def open_reader(settings: SyncSettings, observer: events.Observer) -> Iterator[Reader]:
        try:
            with open_reader_thread(settings, observer) as reader:
                yield reader
        finally:
            raise RuntimeError("cannot join thread before it is started")

    with pytest.raises(InterruptedSyncError, match="0 of 6 accounts were loaded"):
        run_sync(api, tmp_path, observer=interrupt, open_reader=open_reader)


@pytest.mark.usefixtures("organisation")
def test_resume_skips_only_accounts_that_were_read_completely_and_recently(api: FakeApi, run: Run) -> None:
    """It skips neither a forbidden account nor one whose last read is older than the given time."""
    api.behaviour.forbid(ACCOUNTS[0])
    run("sync")
    api.behaviour.allow(ACCOUNTS[0])

    resumed = run("sync", "--resume", "1h", "--format", "json")
    again = run("sync", "--resume", "0m", "--format", "json")

    assert resumed.json["accounts"] == {"complete": 1}
    assert "5 of 6 accounts were read completely" in resumed.stderr
    assert again.json["accounts"] == {"complete": 6}
    assert run("sync", "--resume", "soon").exit_code == 2
