"""The reader process returns what the reader thread returns, and never outlives its use."""

import json
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

from cloudflare_oauth import CloudflareError, Limits, SyncSettings, events
from cloudflare_oauth.reading import open_reader_process, prefetch_in_process
from cloudflare_oauth.reading.reader import AccountReading, OpenReader
from cloudflare_oauth.reading.thread import open_reader_thread
from cloudflare_oauth.resources import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id, faults
from cloudflare_oauth_pipeline.fake_api.accounts_and_clients import Organisation
from tests.support.client_settings import settings_for

NOW = datetime(2026, 11, 1, tzinfo=UTC)
A, B, C = (account_id(name) for name in "abc")


def settings(api: FakeApi, **changes: Any) -> SyncSettings:
    return settings_for(api, **{"concurrency": 2} | changes)


def read(
    open_reader: OpenReader, api: FakeApi, known: dict[str, dict[str, str]], *, prefetched: bool = False
) -> tuple[Any, ...]:
    """Return all that a reader returns, without its times, and a count of its events."""
    happened: list[events.Event] = []
    with open_reader(settings(api), happened.append) as reader:
        if prefetched:
            reader.prefetch(others_may_write=False)
        scopes = reader.begin(OAUTH_SCOPE, {})
        accounts = reader.begin(ACCOUNT, {})()
        wanted = ((row.key, known.get(row.key, {})) for row in accounts.rows)
        readings = [_timeless(reading) for reading in reader.read_accounts(OAUTH_CLIENT, wanted) if reading]
        return accounts, {reading.account_id: reading for reading in readings}, scopes(), Counter(happened)


def _timeless(reading: AccountReading) -> AccountReading:
    outcome: Any = reading.outcome
    if isinstance(outcome, CloudflareError):
        outcome = (type(outcome), str(outcome), outcome.http_status, outcome.code)
    return replace(reading, started_at=NOW, finished_at=NOW, waited_seconds=0.0, outcome=outcome)


@pytest.mark.parametrize("prefetched", [False, True], ids=["on demand", "prefetched"])
def test_the_process_returns_what_the_thread_returns(api: FakeApi, prefetched: bool) -> None:
    """Rows, rejections, refusals, unproven listings, known clients and events are all the same.

    So are they, without one more request, if reading begins before the stored state is known.
    """
    for number in range(120):
        api.organisation.add(
            A, client_id=f"client-{number}", client_name="Zoë \U0001f511", created_at="2026-06-01T00:00:00Z"
        )
    api.organisation.add(
        A, client_id="unfit", created_at="yesterday", Odd_Name={"secret": "s3cret", "n": 2**70}
    )
    api.organisation.put(A, {"no": "id"})
    api.organisation.add(B, client_id="client")
    api.organisation.add(C, client_id="client")
    api.behaviour.forbid(C)
    with open_reader_thread(settings(api), events.ignore) as reader:
        (first,) = (reading for reading in reader.read_accounts(OAUTH_CLIENT, [(A, {})]) if reading)
    assert not isinstance(first.outcome, CloudflareError)
    known = {A: {row.key: row.content_hash for row in first.outcome.rows[:60]} | {"gone": "hash"}}

    on_a_thread = read(open_reader_thread, api, known)
    in_a_process = read(open_reader_process, api, known, prefetched=prefetched)

    assert in_a_process == on_a_thread
    if prefetched:
        assert read(open_reader_thread, api, known, prefetched=True) == on_a_thread
    _, readings, _, happened = in_a_process
    assert len(readings[A].outcome.rows) == 121
    assert len([row for row in readings[A].outcome.rows if not row.document]) == 60
    assert len(readings[A].outcome.rejections) == len(readings[A].outcome.rejected_fields) == 1
    assert readings[C].outcome[2] == 403
    assert happened[events.RequestDone(200, retry=False)] > 5


def test_reading_begins_before_the_first_reading_is_requested(api: FakeApi) -> None:
    """The process that loads can create its tables meanwhile."""
    api.organisation.add(A, client_id="client")
    asked = threading.Event()

    def note(account: str, page: int, organisation: Organisation) -> None:
        asked.set()

    with open_reader_process(settings(api), events.ignore) as reader:
        reader.begin(ACCOUNT, {})()
        api.behaviour.between = note
        readings = reader.read_accounts(OAUTH_CLIENT, [(A, {})])
        assert asked.wait(20)
        assert [reading.account_id for reading in readings if reading] == [A]


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_a_prefetch_leaves_out_excluded_accounts(api: FakeApi, open_reader: OpenReader) -> None:
    """It reads the accounts, then the clients of each account that is not excluded, each once."""
    for account in (A, B, C):
        api.organisation.add(account, client_id="client")

    unwanted = settings(api, concurrency=1, exclude_account_ids=[B])
    with open_reader(unwanted, events.ignore) as reader:
        reader.prefetch(others_may_write=False)
        api.requests.wait_for(3)
        assert [request.account_id for request in api.requests] == [None, A, C]
        assert [row.key for row in reader.begin(ACCOUNT, {})().rows] == [A, B, C]
        readings = [reading for reading in reader.read_accounts(OAUTH_CLIENT, [(A, {}), (C, {})]) if reading]

    assert [reading.account_id for reading in readings] == [A, C]
    assert len(api.requests) == 3


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_a_refused_prefetch_is_raised_when_its_result_is_awaited(
    api: FakeApi, open_reader: OpenReader
) -> None:
    """The accounts cannot be listed: the error is raised on `begin`, and one request was sent."""
    api.behaviour.fail_next(faults.error(403, 10000, "Authentication error"))

    with open_reader(settings(api), events.ignore) as reader:
        reader.prefetch(others_may_write=False)
        with pytest.raises(CloudflareError) as raised:
            reader.begin(ACCOUNT, {})()

    assert (raised.value.http_status, raised.value.code) == (403, 10000)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("changes", "excluded", "requests"),
    [({}, [B], 3), ({"quota_share": 0.5}, [B], 3), ({}, [], 4)],
    ids=["same settings", "another quota share", "other accounts"],
)
def test_a_prefetch_may_begin_before_the_reader_is_opened(
    api: FakeApi, changes: dict[str, Any], excluded: list[str], requests: int
) -> None:
    """If the reader is opened with other settings, it starts again: nothing is lost or mixed up."""
    for account in (A, B, C):
        api.organisation.add(account, client_id=f"client of {account}")
    prefetch_in_process(settings(api, concurrency=1, exclude_account_ids=[B]))
    api.requests.wait_for(3)

    wanted_now = settings(api, concurrency=1, exclude_account_ids=excluded, **changes)
    with open_reader_process(wanted_now, events.ignore) as reader:
        is_restarted = bool(changes) or excluded != [B]
        reader.prefetch(others_may_write=False)
        wanted = [(row.key, {}) for row in reader.begin(ACCOUNT, {})().rows if row.key not in excluded]
        readings = [reading for reading in reader.read_accounts(OAUTH_CLIENT, wanted) if reading]

    assert [reading.account_id for reading in readings] == [key for key, _ in wanted]
    assert len(api.requests) == 3 + requests * is_restarted


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_a_prefetch_that_may_be_outdated_is_used_only_if_nothing_depends_on_it(
    api: FakeApi, open_reader: OpenReader
) -> None:
    """If others may write, it is used for an account that is new or unchanged; any other is read again."""
    for account in (A, B, C):
        api.organisation.add(account, client_id="client", client_name="old")
    with open_reader(settings(api), events.ignore) as reader:
        listed = reader.read_accounts(OAUTH_CLIENT, [(account, None) for account in (A, B, C)])
        old = {reading.account_id: reading.outcome.rows for reading in listed if reading}

    with open_reader(settings(api, concurrency=1), events.ignore) as reader:
        api.requests.clear()
        reader.prefetch(others_may_write=True)
        api.requests.wait_for(4)
        for account in (A, B, C):
            api.organisation.change(account, "client", client_name="new")
        accounts = reader.begin(ACCOUNT, {"another": "hash"})()
        stored = [(A, None), (B, {"client": old[B][0].content_hash}), (C, {"client": "hash"})]
        found = {one.account_id: one for one in reader.read_accounts(OAUTH_CLIENT, stored) if one}

    assert {row.key for row in accounts.rows} == {A, B, C}
    assert found[A].outcome.rows[0].columns["client_name"] == "old"
    assert not found[B].outcome.rows[0].columns
    assert found[C].outcome.rows[0].columns["client_name"] == "new"
    # The accounts and the third account's clients, again.
    assert len(api.requests) == 6


@pytest.mark.parametrize("open_reader", [open_reader_thread, open_reader_process])
def test_a_slow_account_yields_none_once_a_second(api: FakeApi, open_reader: OpenReader) -> None:
    """None lets the caller load what was read before while the slow account is still being read."""
    api.organisation.add(A, client_id="client")
    goes_on = threading.Event()

    with open_reader(settings(api, limits=Limits()), events.ignore) as reader:
        reader.begin(ACCOUNT, {})()
        api.behaviour.between = lambda *_: goes_on.wait(20) and None
        readings = reader.read_accounts(OAUTH_CLIENT, [(A, {})])
        assert next(readings) is None
        goes_on.set()
        assert [reading.account_id for reading in readings if reading] == [A]


def test_a_killed_process_is_not_an_empty_listing(api: FakeApi) -> None:
    """Killed while it reads an account, it causes an error that says so, and no reading of that account."""
    for number in range(60):
        api.organisation.add(A, client_id=f"client-{number}")

    with open_reader_process(settings(api), events.ignore) as reader:

        def kill(account: str, page: int, organisation: Organisation) -> None:
            reader._process.kill()

        reader.begin(ACCOUNT, {})()
        api.behaviour.between = kill
        with pytest.raises(CloudflareError, match=r"ended before its work did \(SIGKILL\)"):
            list(reader.read_accounts(OAUTH_CLIENT, [(A, {}), (B, {})]))


def test_a_defect_in_the_worker_is_raised_with_its_traceback(api: FakeApi) -> None:
    """The notes of an unexpected exception name the line of the worker."""
    unfit = settings(api, limits="none")
    with open_reader_process(unfit, events.ignore) as reader, pytest.raises(AttributeError) as raised:
        reader.begin(ACCOUNT, {})()

    assert "worker.py" in "".join(raised.value.__notes__)


def test_a_refusal_is_raised_unchanged(api: FakeApi) -> None:
    """The accounts cannot be listed: the error is a thread's, and the process answers the next question."""
    api.behaviour.fail_next(faults.error(403, 10000, "Authentication error"))

    with open_reader_process(settings(api), events.ignore) as reader:
        with pytest.raises(CloudflareError) as raised:
            reader.begin(ACCOUNT, {})()
        assert (raised.value.http_status, raised.value.code) == (403, 10000)
        assert reader.begin(ACCOUNT, {})().complete


def test_leaving_the_context_early_ends_the_process(api: FakeApi) -> None:
    """The process is killed even though readings are still to come."""
    for account in range(40):
        for number in range(50):
            api.organisation.add(account_id(f"account-{account}"), client_id=f"client-{number}")

    with open_reader_process(settings(api), events.ignore) as reader:
        wanted = [
            (row.key, {str(number): "hash" for number in range(5_000)})
            for row in reader.begin(ACCOUNT, {})().rows
        ]
        readings = reader.read_accounts(OAUTH_CLIENT, wanted)
        assert next(readings) is not None

    assert reader._process.returncode == -signal.SIGKILL


def test_an_interrupt_before_the_thread_begins_is_raised_as_it_is(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that feeds the process cannot be waited for if a signal came while it was started."""
    monkeypatch.setattr(threading.Thread, "start", _interrupted)

    with pytest.raises(KeyboardInterrupt), open_reader_process(settings(api), events.ignore) as reader:
        reader.read_accounts(OAUTH_CLIENT, [(A, {})])


def _interrupted(_: threading.Thread) -> None:
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_in_the_accounts_to_read_ends_the_process(api: FakeApi) -> None:
    """Neither process waits for accounts that never come, and none of them counts as read."""

    def accounts() -> Iterator[tuple[str, dict[str, str]]]:
        yield A, {}
        raise OSError("broken")

    ended = pytest.raises(CloudflareError, match="ended before its work did")
    with open_reader_process(settings(api), events.ignore) as reader, ended:
        list(reader.read_accounts(OAUTH_CLIENT, accounts()))


def test_the_process_ends_with_the_process_that_started_it(api: FakeApi, tmp_path: Path) -> None:
    """After a sync is killed in the middle of a listing, no process keeps sending requests."""
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
from cloudflare_oauth import SyncSettings
from cloudflare_oauth.reading import open_reader_process
from cloudflare_oauth.resources import OAUTH_CLIENT
settings = SyncSettings(api_token={FAKE_TOKEN!r}, base_url={api.base_url!r})
with open_reader_process(settings, events.ignore) as reader:
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(reader._process.pid))
    list(reader.read_accounts(OAUTH_CLIENT, [({A!r}, {{}})]))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as program:
        program.wait()

    assert program.returncode == -signal.SIGKILL
    assert ended.get(timeout=20)


def test_the_process_imports_no_module_from_the_current_folder(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync in a folder with foreign files does not execute them."""
    monkeypatch.chdir(tmp_path)
    Path("httpx.py").write_text("raise SystemExit('imported')")

    with open_reader_process(settings(api), events.ignore) as reader:
        assert reader.begin(ACCOUNT, {})().complete


SITECUSTOMIZE = """
import os, signal, sys
if "cloudflare_oauth.reading.worker" in sys.orig_argv:
"""
PRINT = """
    print("printed " * 15_000, flush=True)
    os.write(1, b"written " * 15_000)
"""
# To a device that takes everything, so that the worker does not notice and keeps running.
BREAK_RESULTS = """
    def break_results(*_):
        os.dup2(os.open(os.devnull, os.O_WRONLY), int(sys.orig_argv[-1]))
"""
BREAK_AT_ONCE = f"{BREAK_RESULTS}    break_results()\n"
BREAK_ON_SIGNAL = f"""{BREAK_RESULTS}
    signal.signal(signal.SIGUSR1, break_results)
    with open("worker.pid", "w") as file:
        file.write(str(os.getpid()))
"""


def sync_with(sitecustomize: str, api: FakeApi, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `sync` in a folder with code that its reader process runs as the first thing."""
    modules = folder / "modules"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(SITECUSTOMIZE + sitecustomize)
    return subprocess.run(
        [sys.executable, "-m", "cloudflare_oauth_pipeline", "sync", "--format", "json"],
        cwd=folder,
        env=os.environ
        | {
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
            "PYTHONPATH": os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_output_of_the_process_does_not_disturb_the_sync(api: FakeApi, tmp_path: Path) -> None:
    """A module that the worker imports may print or write to descriptor 1, more than a pipe holds."""
    api.organisation.add(A, client_id="client")

    done = sync_with(PRINT, api, tmp_path)

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["status"], summary["accounts"]) == ("complete", {"complete": 1})


@pytest.mark.parametrize("moment", ["at start-up", "while an account is read"])
def test_a_process_that_loses_its_results_pipe_ends_the_sync(
    api: FakeApi, tmp_path: Path, moment: str
) -> None:
    """The worker keeps running without its pipe: the sync kills it and fails, instead of waiting for ever."""
    api.organisation.add(A, client_id="client")
    is_at_once = moment == "at start-up"

    def break_results(account: str, page: int, organisation: Organisation) -> None:
        os.kill(int((tmp_path / "worker.pid").read_text()), signal.SIGUSR1)
        api.behaviour.between = None

    if not is_at_once:
        api.behaviour.between = break_results
    done = sync_with(BREAK_AT_ONCE if is_at_once else BREAK_ON_SIGNAL, api, tmp_path)

    assert done.returncode == 1
    assert "the process that sends requests to Cloudflare ended before its work did (SIGKILL)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("cloudflare_oauth.reading.worker", {"dlt", "duckdb", "pyarrow"}),
        ("cloudflare_oauth_pipeline.cli.commands", {"httpx", "anyio", "pyarrow", "dlt", "duckdb"}),
        ("cloudflare_oauth_pipeline.run.sync", {"httpx", "anyio", "pyarrow"}),
    ],
)
def test_neither_process_imports_what_it_does_not_need_yet(module: str, without: set[str]) -> None:
    """Imports that only the other process needs, or that can wait, would cost a quarter of a second."""
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert without.isdisjoint(loaded.split())
