"""A reader in a process of its own: says what the one on a thread says, and never outlives its use."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from cloudflare_oauth import CloudflareError, events
from cloudflare_oauth.reading import process as reader_process
from cloudflare_oauth.reading.process import open_reader_process
from cloudflare_oauth.reading.reader import AccountReading, OpenReader, Settings
from cloudflare_oauth.reading.thread import open_reader_thread
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id, faults
from cloudflare_oauth_pipeline.fake_api.accounts_and_clients import Organisation
from tests.support.requests import LIMITS, connection_to

NOW = datetime(2026, 11, 1, tzinfo=UTC)
A, B, C = (account_id(name) for name in "abc")


def settings(api: FakeApi, **changes: Any) -> Settings:
    return Settings(**{"connection": connection_to(api), "concurrency": 2, "limits": LIMITS} | changes)


def read(
    open_reader: OpenReader, api: FakeApi, known: dict[str, dict[str, str]], *, ahead: bool = False
) -> tuple[Any, ...]:
    """All that a reader says, but for when it said so; and what happened."""
    happened: list[events.Event] = []
    with open_reader(settings(api), happened.append) as reader:
        if ahead:
            reader.prefetch(())
        scopes = reader.scopes({})
        accounts = reader.accounts({})
        wanted = ((row.key, known.get(row.key, {})) for row in accounts.rows)
        readings = [_timeless(reading) for reading in reader.oauth_clients(wanted) if reading]
        return accounts, {reading.account_id: reading for reading in readings}, scopes(), Counter(happened)


def _timeless(reading: AccountReading) -> AccountReading:
    outcome: Any = reading.outcome
    if isinstance(outcome, CloudflareError):
        outcome = (type(outcome), str(outcome), outcome.http_status, outcome.code)
    return replace(reading, started_at=NOW, finished_at=NOW, waited_seconds=0.0, outcome=outcome)


@pytest.mark.parametrize("ahead", [False, True], ids=["when asked", "ahead"])
def test_it_says_what_a_reader_on_a_thread_says(api: FakeApi, ahead: bool) -> None:
    """Rows, rejections, refusals, an unproven listing, what is known already, and every event.

    The same, with no request more, if it begins before anybody knows what is stored.
    """
    for number in range(120):
        api.organisation.add(
            A, client_id=f"client-{number}", client_name="Zoë \U0001f511", created_at="2026-06-01T00:00:00Z"
        )
    api.organisation.add(
        A, client_id="unfit", created_at="yesterday", Odd_Name={"secret": "s3cret", "n": 2**70}
    )
    api.organisation.add(B, client_id="client")
    api.organisation.add(C, client_id="client")
    api.behaviour.forbid(C)
    with open_reader_thread(settings(api), events.ignore) as reader:
        (first,) = (reading for reading in reader.oauth_clients([(A, {})]) if reading)
    assert not isinstance(first.outcome, CloudflareError)
    known = {A: {row.key: row.content_hash for row in first.outcome.rows[:60]} | {"gone": "hash"}}

    on_a_thread = read(open_reader_thread, api, known)
    apart = read(open_reader_process, api, known, ahead=ahead)

    assert apart == on_a_thread
    if ahead:
        assert read(open_reader_thread, api, known, ahead=True) == on_a_thread
    _, readings, _, happened = apart
    assert len(readings[A].outcome.rows) == 120
    assert len([row for row in readings[A].outcome.rows if not row.document]) == 60
    assert [rejection.reason for rejection in readings[A].outcome.rejections] != []
    assert readings[C].outcome[2] == 403
    assert happened[events.RequestDone(200, retry=False)] > 5


def test_it_begins_before_it_is_asked_for_a_reading(api: FakeApi) -> None:
    """Whoever writes the first rows has tables to create meanwhile."""
    api.organisation.add(A, client_id="client")
    asked = threading.Event()

    def note(account: str, page: int, organisation: Organisation) -> None:
        asked.set()

    with open_reader_process(settings(api), events.ignore) as reader:
        reader.accounts({})
        api.behaviour.between = note
        readings = reader.oauth_clients([(A, {})])
        assert asked.wait(20)
        assert [reading.account_id for reading in readings if reading] == [A]


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_ahead_it_reads_what_is_wanted_before_it_is_asked(api: FakeApi, open_reader: OpenReader) -> None:
    """The accounts, then their clients, but of no account that is excluded."""
    for account in (A, B, C):
        api.organisation.add(account, client_id="client")

    with open_reader(settings(api, concurrency=1), events.ignore) as reader:
        reader.prefetch({B})
        api.requests.wait_for(3)
        assert [request.account_id for request in api.requests] == [None, A, C]
        assert [row.key for row in reader.accounts({}).rows] == [A, B, C]
        readings = [reading for reading in reader.oauth_clients([(A, {}), (C, {})]) if reading]

    assert [reading.account_id for reading in readings] == [A, C]
    assert len(api.requests) == 3


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_ahead_a_refusal_waits_for_who_asks(api: FakeApi, open_reader: OpenReader) -> None:
    """The accounts cannot be listed: raised when they are asked for, and asked of Cloudflare once."""
    api.behaviour.fail_next(faults.error(403, 10000, "Authentication error"))

    with open_reader(settings(api), events.ignore) as reader:
        reader.prefetch(())
        with pytest.raises(CloudflareError) as raised:
            reader.accounts({})

    assert (raised.value.http_status, raised.value.code) == (403, 10000)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("changes", "excluded", "requests"),
    [({}, [B], 3), ({"quota_share": 0.5}, [B], 3), ({}, [], 4)],
    ids=["as expected", "with other settings", "of other accounts"],
)
def test_it_may_begin_before_it_is_opened(
    api: FakeApi, changes: dict[str, Any], excluded: list[str], requests: int
) -> None:
    """If it is opened in another way than was expected, it begins anew: nothing is lost or mixed up."""
    for account in (A, B, C):
        api.organisation.add(account, client_id=f"client of {account}")
    reader_process.begin(settings(api, concurrency=1), [B])
    api.requests.wait_for(3)

    with open_reader_process(settings(api, concurrency=1, **changes), events.ignore) as reader:
        is_anew = bool(changes) or excluded != [B]
        reader.prefetch(excluded)
        wanted = [(row.key, {}) for row in reader.accounts({}).rows if row.key not in excluded]
        readings = [reading for reading in reader.oauth_clients(wanted) if reading]

    assert [reading.account_id for reading in readings] == [key for key, _ in wanted]
    assert len(api.requests) == 3 + requests * is_anew


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_nobody_waits_in_the_dark(api: FakeApi, open_reader: OpenReader) -> None:
    """While an account takes its time, None comes, so that what was read before can be loaded meanwhile."""
    api.organisation.add(A, client_id="client")
    goes_on = threading.Event()

    with open_reader(settings(api, limits=None), events.ignore) as reader:
        reader.accounts({})
        api.behaviour.between = lambda *_: goes_on.wait(20) and None
        readings = reader.oauth_clients([(A, {})])
        assert next(readings) is None
        goes_on.set()
        assert [reading.account_id for reading in readings if reading] == [A]


def test_its_death_is_no_empty_answer(api: FakeApi) -> None:
    """Killed while it reads an account: an error that says so, and no reading of that account."""
    for number in range(60):
        api.organisation.add(A, client_id=f"client-{number}")

    with open_reader_process(settings(api), events.ignore) as reader:

        def kill(account: str, page: int, organisation: Organisation) -> None:
            reader._process.kill()

        reader.accounts({})
        api.behaviour.between = kill
        with pytest.raises(CloudflareError, match=r"ended before its work did \(SIGKILL\)"):
            list(reader.oauth_clients([(A, {}), (B, {})]))


def test_its_own_faults_are_told_with_their_trace(api: FakeApi) -> None:
    """What nobody expected there is raised here."""
    unfit = settings(api, limits="none")
    with open_reader_process(unfit, events.ignore) as reader, pytest.raises(AttributeError) as raised:
        reader.accounts({})

    assert "worker.py" in "".join(raised.value.__notes__)


def test_a_refusal_is_raised_as_it_is(api: FakeApi) -> None:
    """The accounts cannot be listed: the same error as on a thread, and the next question is answered."""
    api.behaviour.fail_next(faults.error(403, 10000, "Authentication error"))

    with open_reader_process(settings(api), events.ignore) as reader:
        with pytest.raises(CloudflareError) as raised:
            reader.accounts({})
        assert (raised.value.http_status, raised.value.code) == (403, 10000)
        assert reader.accounts({}).complete


def test_who_has_enough_may_leave(api: FakeApi) -> None:
    """With readings still to come, the process ends with its context."""
    for account in range(40):
        for number in range(50):
            api.organisation.add(account_id(f"account-{account}"), client_id=f"client-{number}")

    with open_reader_process(settings(api), events.ignore) as reader:
        wanted = [
            (row.key, {str(number): "hash" for number in range(5_000)}) for row in reader.accounts({}).rows
        ]
        readings = reader.oauth_clients(wanted)
        assert next(readings) is not None

    assert reader._process.returncode == -signal.SIGKILL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_accounts_that_cannot_be_named_end_it(api: FakeApi) -> None:
    """Nobody waits for accounts that will never come, and none of them counts as read."""

    def accounts() -> Iterator[tuple[str, dict[str, str]]]:
        yield A, {}
        raise OSError("broken")

    ended = pytest.raises(CloudflareError, match="ended before its work did")
    with open_reader_process(settings(api), events.ignore) as reader, ended:
        list(reader.oauth_clients(accounts()))


def test_it_ends_with_the_process_that_started_it(api: FakeApi, tmp_path: Path) -> None:
    """Killed in the middle of a listing, it leaves nobody behind who still asks Cloudflare."""
    api.organisation.add(A, client_id="client")
    ended = Queue[bool]()

    def kill(account: str, page: int, organisation: Organisation) -> None:
        child = os.pidfd_open(int((tmp_path / "pid").read_text()))
        program.kill()
        ended.put(bool(select.select([child], [], [], 10)[0]))

    api.behaviour.between = kill
    script = f"""
import pathlib
from cloudflare_oauth import events
from cloudflare_oauth.settings import Connection, Credentials
from cloudflare_oauth.reading.reader import Settings
from cloudflare_oauth.reading.process import open_reader_process
credentials = Credentials(api_token={FAKE_TOKEN!r})
settings = Settings(connection=Connection(base_url={api.base_url!r}, credentials=credentials))
with open_reader_process(settings, events.ignore) as reader:
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(reader._process.pid))
    list(reader.oauth_clients([({A!r}, {{}})]))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as program:
        program.wait()

    assert program.returncode == -signal.SIGKILL
    assert ended.get(timeout=20)


def test_it_runs_no_module_of_the_current_folder(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever syncs in a folder that somebody else filled does not run what lies there."""
    monkeypatch.chdir(tmp_path)
    Path("httpx.py").write_text("raise SystemExit('imported')")

    with open_reader_process(settings(api), events.ignore) as reader:
        assert reader.accounts({}).complete


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("cloudflare_oauth.reading.worker", {"dlt", "duckdb", "pyarrow"}),
        ("cloudflare_oauth_pipeline.cli.commands", {"httpx", "anyio", "pyarrow", "dlt", "duckdb"}),
        ("cloudflare_oauth_pipeline.run.sync", {"httpx", "anyio", "pyarrow"}),
    ],
)
def test_neither_process_loads_what_it_does_not_need_yet(module: str, without: set[str]) -> None:
    """What only the other one needs, or what there is time for later, would be a quarter of a second."""
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert without.isdisjoint(loaded.split())
