"""Delta tables in a bucket: the tables of DuckDB, killed syncs, and the lock that keeps syncs apart."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudflare_oauth import BusyError, ConfigurationError, DestinationError, events
from cloudflare_oauth_pipeline.destinations import bucket_lock, delta_lake
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from tests.cloudflare_oauth_pipeline.destinations.test_destinations import (
    FIRST,
    World,
    fill,
    syncs_like_duckdb,
)
from tests.support.commands import TESTS_ON_PATH, Run
from tests.support.warehouses import DATASET, DeltaOnS3, DuckDB, Sync

# What `python -c` runs instead of `python -m cloudflare_oauth_pipeline`.
SHORT_LEASE = (
    "from cloudflare_oauth_pipeline.destinations import bucket_lock; bucket_lock.LEASE_SECONDS = 4; "
    "from cloudflare_oauth_pipeline.__main__ import main; main()"
)


@pytest.fixture
def lake(s3: DeltaOnS3, request: pytest.FixtureRequest, _numbers: Iterator[int]) -> DeltaOnS3:
    """An empty folder in the bucket."""
    return s3.emptied(f"lake-{next(_numbers)}")


@pytest.fixture(scope="module")
def _numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def no_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make DuckDB unable to load any extension from outside."""
    connect = duckdb.connect

    def connect_without(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        return connection

    monkeypatch.setattr(duckdb, "connect", connect_without)


def test_a_sync_and_its_change_log(
    api: FakeApi, sync_into: Sync, lake: DeltaOnS3, run: Run, no_extension: None
) -> None:
    """The first sync creates the tables, the second finds a change; no lock is left behind."""
    api.organisation.add(FIRST, client_id="one", scopes=["zone.read"])
    sync_into(lake)
    api.organisation.change(FIRST, "one", scopes=["dns.write"])

    synced = run("sync", "--destination", "filesystem")
    done = run("changes", "--destination", "filesystem", "--format", "json")

    assert synced.exit_code == 0, synced.stderr
    assert "no two syncs" not in synced.stderr
    assert [row["change"] for row in done.json] == ["baseline", "updated"]
    assert [row["value"] for row in lake.rows("oauth_clients__scopes")] == ["dns.write"]
    assert not lake.files.exists(lake.lock)


@pytest.mark.scale
def test_every_kind_of_sync_ends_in_the_tables_of_duckdb(
    api: FakeApi, sync_into: Sync, lake: DeltaOnS3, tmp_path: Path, no_extension: None
) -> None:
    """The content is the same after each."""
    syncs_like_duckdb(api, sync_into, lake, DuckDB(tmp_path / "reference.duckdb"))


@pytest.fixture(scope="module")
def world(s3: DeltaOnS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with FakeApi() as api:
        yield World(s3.emptied("before"), api, tmp_path_factory.mktemp("world") / "machines")


@pytest.mark.scale
@pytest.mark.parametrize(
    ("stage", "nth"), [("normalize", 1), ("after-job", 4), ("after-job", 7), ("completed", 1)]
)
def test_the_next_sync_on_a_new_machine_repairs_a_killed_one(world: World, stage: str, nth: int) -> None:
    """The lock of the killed sync is removed here, so that the test need not wait; see below for the wait."""
    warehouse = world.warehouse.copied(f"killed-{stage}-{nth}")
    assert isinstance(warehouse, DeltaOnS3)

    assert world.sync(warehouse, stage, str(nth)) == -signal.SIGKILL
    warehouse.files.rm_file(warehouse.lock)
    world.sync(warehouse)

    assert world.content(warehouse) == world.undisturbed


@pytest.mark.scale
@pytest.mark.parametrize(
    ("stage", "nth"), [("append_to_delta", 2), ("after-append_to_delta", 5), ("completed", 1)]
)
def test_the_next_sync_repairs_a_killed_first_one(world: World, stage: str, nth: int) -> None:
    """As above, where the tables are appended to one by one."""
    undisturbed = world.of_a_first_sync
    warehouse = world.warehouse.emptied(f"first-{stage}-{nth}")
    assert isinstance(warehouse, DeltaOnS3)

    assert world.sync(warehouse, stage, str(nth)) == -signal.SIGKILL
    warehouse.files.rm_file(warehouse.lock)
    world.sync(warehouse)

    assert world.content(warehouse) == undisturbed


def started(api: FakeApi, lake: DeltaOnS3, home: Path, *command: str) -> "subprocess.Popen[str]":
    """A sync in a process with an empty home."""
    return subprocess.Popen(
        [sys.executable, *command, "sync", "--destination", "filesystem"],
        cwd=home.parent,
        env=os.environ
        | TESTS_ON_PATH
        | lake.environment
        | {
            "DLT_DATA_DIR": str(home),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.scale
def test_two_syncs_at_once_lose_and_duplicate_nothing(
    api: FakeApi, lake: DeltaOnS3, sync_into: Sync, tmp_path: Path
) -> None:
    """Both read the same clients; each is stored once."""
    fill(api.organisation)
    both = [started(api, lake, tmp_path / f"home-{n}", "-m", "cloudflare_oauth_pipeline") for n in range(2)]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors

    reference = DuckDB(tmp_path / "reference.duckdb")
    sync_into(reference)
    expected, content = reference.content(), lake.content()
    del expected["account_syncs"], content["account_syncs"]
    assert content == expected
    assert not lake.files.exists(lake.lock)


@pytest.mark.scale
def test_a_lock_that_a_killed_sync_left_is_taken_over(api: FakeApi, lake: DeltaOnS3, tmp_path: Path) -> None:
    """The next sync waits until it has not been renewed for a while, says so, and goes on."""
    fill(api.organisation)
    killed = started(
        api, lake, tmp_path / "one", "-m", "tests.support.killed_sync", "after-append_to_delta", "2"
    )
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert lake.files.exists(lake.lock)

    process = started(api, lake, tmp_path / "two", "-c", SHORT_LEASE)
    _, errors = process.communicate()

    assert process.returncode == 0, errors
    assert len(lake.rows("oauth_clients")) == 25
    assert not lake.files.exists(lake.lock)


class Locks:
    """Locks on one object, and what they told their observers."""

    def __init__(self, lake: DeltaOnS3) -> None:
        self.lake = lake
        self.told: list[events.Event] = []

    def take(self, longest_wait_seconds: float = 0) -> "bucket_lock.BucketLock":
        lock = bucket_lock.BucketLock(self.lake.files, self.lake.lock)
        lock.take(longest_wait_seconds, self.told.append)
        return lock


@pytest.fixture
def locks(lake: DeltaOnS3, monkeypatch: pytest.MonkeyPatch) -> Locks:
    monkeypatch.setattr(bucket_lock, "SECONDS_BETWEEN_ATTEMPTS", 0.1)
    return Locks(lake)


@pytest.mark.scale
def test_a_held_lock_is_waited_for(locks: Locks) -> None:
    """The wait is told once, with the holder; then it is an error, or the lock is released."""
    held = locks.take()
    with pytest.raises(BusyError, match=f"process {os.getpid()} on "):
        locks.take(0.5)
    assert [type(event) for event in locks.told] == [events.Waiting]

    with ThreadPoolExecutor() as threads:
        other = threads.submit(locks.take, 30)
        time.sleep(0.5)
        held.release()
        other.result().release()
    assert not locks.lake.files.exists(locks.lake.lock)


@pytest.mark.scale
def test_a_lock_outlasts_its_lease_while_it_is_renewed(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its thread it is taken over; the first holder notices, and leaves the other's lock alone."""
    monkeypatch.setattr(bucket_lock, "LEASE_SECONDS", 2)
    held = locks.take()
    with pytest.raises(BusyError):
        locks.take(4)
    held.check()

    held._ended.set()
    other = locks.take(10)
    with pytest.raises(DestinationError, match="taken over by another sync"):
        held.check()
    held.release()
    other.check()
    other.release()


@pytest.mark.scale
@pytest.mark.parametrize("ignored", ["IfNoneMatch", "IfMatch"])
def test_a_storage_that_ignores_conditions_is_refused(locks: Locks, ignored: str) -> None:
    """Nothing is left in the bucket."""

    class Careless:
        def __getattr__(self, name: str) -> Any:
            return getattr(locks.lake.files, name)

        def call_s3(self, method: str, **arguments: Any) -> Any:
            arguments.pop(ignored, None)
            return locks.lake.files.call_s3(method, **arguments)

    with pytest.raises(ConfigurationError, match="ignores the conditions"):
        bucket_lock.BucketLock(Careless(), locks.lake.lock).take(0, events.ignore)

    assert not locks.lake.files.exists(locks.lake.lock)


@pytest.mark.scale
def test_a_put_whose_answer_was_lost_is_recognised(locks: Locks) -> None:
    """s3fs sends it again, and the storage refuses what is there already."""

    class Repeating:
        def __getattr__(self, name: str) -> Any:
            return getattr(locks.lake.files, name)

        def call_s3(self, method: str, **arguments: Any) -> Any:
            answer = locks.lake.files.call_s3(method, **arguments)
            return locks.lake.files.call_s3(method, **arguments) if method == "put_object" else answer

    lock = bucket_lock.BucketLock(Repeating(), locks.lake.lock)
    lock.take(0, events.ignore)
    lock.check()
    lock.release()


@pytest.mark.scale
def test_a_load_whose_lock_is_lost_is_not_marked_as_complete(
    api: FakeApi, sync_into: Sync, lake: DeltaOnS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next sync writes it again."""
    fill(api.organisation)
    append = delta_lake.DeltaLakeClient.append

    def append_and_lose(client: Any, name: str, tables: Any) -> None:
        append(client, name, tables)
        if lake.files.exists(lake.lock):
            lake.files.rm_file(lake.lock)

    with monkeypatch.context() as patch:
        patch.setattr(delta_lake.DeltaLakeClient, "append", append_and_lose)
        with pytest.raises(DestinationError, match="was removed"):
            sync_into(lake)
    sync_into(lake)

    assert len(lake.rows("oauth_clients")) == 25


@pytest.mark.scale
def test_an_unreachable_storage_is_one_sentence(
    api: FakeApi, lake: DeltaOnS3, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, and no request to Cloudflare."""
    for name, value in lake.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DESTINATION__FILESYSTEM__CREDENTIALS__ENDPOINT_URL", "http://127.0.0.1:1")
    api.organisation.add(FIRST, client_id="one")

    done = run("sync", "--destination", "filesystem")

    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:1" in done.stderr
    assert not api.requests


@pytest.mark.scale
def test_clickhouse_reads_the_tables(api: FakeApi, sync_into: Sync, lake: DeltaOnS3) -> None:
    """The clients joined with their scopes, by a library that is not dlt's."""
    chdb = pytest.importorskip("chdb", reason="chdb, which is ClickHouse in a library, is not installed")
    fill(api.organisation)
    sync_into(lake)

    def table(name: str) -> str:
        return f"deltaLake('{lake.endpoint}/{lake.path}/{DATASET}/{name}/', 'key', 'secret')"

    answer = chdb.query(
        f"SELECT count() AS scopes, uniqExact(c.client_id, c.account_id) AS clients "
        f"FROM {table('oauth_clients')} AS c JOIN {table('oauth_clients__scopes')} AS s "
        "ON s._dlt_root_id = c._dlt_id",
        "JSON",
    )

    rows = json.loads(str(answer))["data"]
    assert [{name: int(value) for name, value in row.items()} for row in rows] == [
        {"scopes": 24 * 3 + 1, "clients": 25}
    ]
