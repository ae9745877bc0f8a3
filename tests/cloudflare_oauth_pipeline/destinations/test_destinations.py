"""Every supported destination ends in the same tables as DuckDB; all others are refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import Limits
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation, account_id
from cloudflare_oauth_pipeline.fake_api.faults import error
from tests.support.commands import TESTS_ON_PATH, Run
from tests.support.warehouses import LAKES, Delta, DuckDB, DuckLake, Postgres, Sync, Warehouse

KILLED_SYNC = ("-m", "tests.support.killed_sync")
LIMITS = Limits(attempts=2, first_backoff_seconds=0.001, longest_backoff_seconds=0.001)
FIRST, SECOND, THIRD = (account_id(name) for name in ("first", "second", "third"))


def fill(organisation: Organisation) -> None:
    for number in range(12):
        for account in (FIRST, SECOND):
            organisation.add(
                account,
                client_id=f"client-{number}",
                client_name=f"Client {number} 'Ω\\",
                redirect_uris=[f"https://{number}.example/a", f"https://{number}.example/b"],
                scopes=["zone.read", "dns.write", "zone.read"],
                created_at="2026-06-01T02:03:04.5+02:00",
            )
    organisation.add(THIRD, client_id="last", scopes=["zone.read"], unknown_yet={"deep": [1, "two"]})


def change_everything(organisation: Organisation) -> None:
    """Every kind of change, in one table or in several."""
    organisation.change(FIRST, "client-0", redirect_uris=["https://0.example/c"])
    organisation.change(FIRST, "client-1", scopes=[], client_uri="https://one.example")
    organisation.change(SECOND, "client-0", client_name="Renamed", another=["a", "b"], number=1.5)
    organisation.change(SECOND, "client-1", scopes=["dns.write", "zone.read"])
    organisation.remove(FIRST, "client-11")
    organisation.remove(THIRD, "last")
    organisation.add(
        SECOND, client_id="new", grant_types=["authorization_code"], redirect_uris=["https://new/"]
    )


def syncs_like_duckdb(api: FakeApi, sync_into: Sync, warehouse: Warehouse, reference: DuckDB) -> None:
    """A first sync, no changes, every kind of change, failing accounts, and their recovery, into both."""

    def both() -> dict[str, int]:
        expected, done = sync_into(reference), sync_into(warehouse)
        assert (done.status, done.clients) == (expected.status, expected.clients)
        assert warehouse.content() == reference.content()
        return dict(done.accounts)

    fill(api.organisation)
    assert both() == {"complete": 3}
    assert both() == {"complete": 3}
    change_everything(api.organisation)
    assert both() == {"complete": 3}
    api.behaviour.forbid(FIRST)
    api.behaviour.break_(SECOND, error(500, 10000, "Broken"))
    api.organisation.remove(FIRST, "client-2")
    assert both() == {"complete": 1, "forbidden": 1, "failed": 1}
    api.behaviour.allow(FIRST)
    api.behaviour.heal()
    api.organisation.change(SECOND, "client-2", redirect_uris=["https://2.example/b"])
    assert both() == {"complete": 3}


@pytest.mark.scale
def test_every_kind_of_sync_ends_in_the_tables_of_duckdb(
    api: FakeApi, sync_into: Sync, warehouse: Warehouse, tmp_path: Path
) -> None:
    """The content is the same after each."""
    syncs_like_duckdb(api, sync_into, warehouse, DuckDB(tmp_path / "reference.duckdb"))


@pytest.mark.variants(1)
def test_an_unchanged_organisation_writes_only_account_syncs(
    api: FakeApi, sync_into: Sync, warehouse: Warehouse
) -> None:
    """Row for row, including dlt's ids, every other table stays as it is."""
    fill(api.organisation)
    sync_into(warehouse)
    tables = [name for name in warehouse.tables() if name != "account_syncs" and not name.startswith("_dlt")]
    before = {name: sorted(warehouse.rows(name), key=repr) for name in tables}

    sync_into(warehouse)

    assert {name: sorted(warehouse.rows(name), key=repr) for name in tables} == before
    assert len(warehouse.rows("account_syncs")) == 6


def test_a_pipeline_may_have_any_name(api: FakeApi, run: Run) -> None:
    """This includes names that dlt does not accept for a schema."""
    api.organisation.add(FIRST, client_id="one")

    for command in ("sync", "changes", "findings"):
        assert run(command, "--pipeline-name", "shard-1_of-2").exit_code == 0, command


@pytest.mark.variants(1)
def test_the_change_log_can_be_read_back(
    api: FakeApi, sync_into: Sync, warehouse: Warehouse, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`changes` reads the destination and returns documents as JSON."""
    api.organisation.add(FIRST, client_id="one", scopes=["zone.read"])
    sync_into(warehouse)
    api.organisation.change(FIRST, "one", scopes=["dns.write"])
    sync_into(warehouse)

    done = run("changes", "--destination", warehouse.destination, "--format", "json")

    assert [row["change"] for row in done.json] == ["baseline", "updated"]
    assert done.json[1]["changed_fields"] == ["scopes"]
    assert done.json[1]["document_before"]["scopes"] == ["zone.read"]


# The number of load jobs of the second sync; a test below checks it.
JOBS = {"postgres": 10, "filesystem": 7, "ducklake": 10}
WORLDS = ["postgres", "filesystem", *LAKES]


class World:
    """A warehouse before a second sync that finds every kind of change, and the content after that sync."""

    def __init__(self, warehouse: Warehouse, api: FakeApi, folder: Path) -> None:
        self.warehouse = warehouse
        self.api = api
        self.folder = folder
        fill(api.organisation)
        self.sync(warehouse)
        change_everything(api.organisation)
        undisturbed = warehouse.copied("undisturbed")
        self.sync(undisturbed)
        self.undisturbed = self.content(undisturbed)

    @cached_property
    def of_a_first_sync(self) -> dict[str, Any]:
        """The content after an undisturbed first sync of the organisation as it is now."""
        warehouse = self.warehouse.emptied("first")
        self.sync(warehouse)
        return self.content(warehouse)

    def content(self, warehouse: Warehouse) -> dict[str, Any]:
        """Return all tables except `account_syncs`, where a killed sync may have rows of its own."""
        return {name: rows for name, rows in warehouse.content().items() if name != "account_syncs"}

    def sync(self, warehouse: Warehouse, *killed: str) -> int:
        """Sync in a new process with an empty home, perhaps killed at a stage; returns its exit code."""
        self.folder.mkdir(exist_ok=True)
        command = [*KILLED_SYNC, *killed] if killed else ["-m", "cloudflare_oauth_pipeline"]
        done = subprocess.run(
            [sys.executable, *command, "sync", "--destination", warehouse.destination],
            cwd=self.folder,
            env=os.environ
            | TESTS_ON_PATH
            | warehouse.environment
            | {
                "DLT_DATA_DIR": str(self.folder / f"home-{len(list(self.folder.iterdir()))}"),
                "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
                "CLOUDFLARE_BASE_URL": self.api.base_url,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert killed or done.returncode == 0, done.stderr
        return done.returncode


@pytest.fixture(scope="module")
def worlds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], World]]:
    """Makes each world once: pytest makes a fixture anew for each set of parameters, whatever its own is."""

    @cache
    def world(name: str) -> World:
        folder = tmp_path_factory.mktemp("world")
        return World(empty(name, folder / "before"), apis.enter_context(FakeApi()), folder / "machines")

    def empty(name: str, folder: Path) -> Warehouse:
        if name == "filesystem":
            return Delta(folder)
        if name == "ducklake":
            return DuckLake(folder)
        server: Postgres = request.getfixturevalue("server")
        if name == "postgres":
            return server.emptied("before")
        return DuckLake(folder, server.emptied("before-catalogue"))

    with ExitStack() as apis:
        yield world


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    return worlds(request.param)


@pytest.mark.scale
@pytest.mark.parametrize(
    "moment", ["normalize", 5, 3, 2, 1, 0] if "SWEEP" in os.environ else ["normalize", 3, 0]
)
@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_the_next_sync_on_a_new_machine_repairs_a_killed_one(world: World, moment: str | int) -> None:
    """After SIGKILL at a stage or with that many load jobs left, the next sync ends as an undisturbed one."""
    warehouse = world.warehouse.copied(f"killed-{moment}")
    last = JOBS[warehouse.destination]
    stage, nth = (moment, 1) if isinstance(moment, str) else ("after-job", last - moment)

    assert world.sync(warehouse, stage, str(nth)) == -signal.SIGKILL
    world.sync(warehouse)

    assert world.content(warehouse) == world.undisturbed


# Some accounts are appended; the one with an undeclared field, and the accounts themselves, are left to dlt.
MOMENTS_OF_A_FIRST_SYNC = {
    "postgres": [
        *(("copy", 1), ("after-copy", 1), ("append", 1), ("after-append", 1), ("completed", 1)),
        *((f"{when}commit_in_postgres", nth) for when in ("", "after-") for nth in (1, 2)),
        *(("after-job", nth) for nth in (1, 4)),
    ],
    # The tables are appended to one by one: what has no complete load counts as unknown.
    "filesystem": [("append_to_delta", 2), ("after-append_to_delta", 5), ("completed", 1)],
}
# Clients come before the log. The second commit is that of what was appended; the first makes the tables.
OF_A_LAKE = [("append_to_lake", 6), ("commit", 2), ("after-commit", 2), ("after-job", 6), ("completed", 1)]
if "SWEEP" in os.environ:
    OF_A_LAKE += [
        *((f"{when}commit", nth) for when in ("", "after-") for nth in (1, 3, 4, 5, 6, 7, 8)),
        *(("after-job", nth) for nth in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11)),
        *(("append_to_lake", nth) for nth in (2, 4)),
        *(("append", 1), ("after-append", 1)),
    ]
MOMENTS_OF_A_FIRST_SYNC |= dict.fromkeys(LAKES, OF_A_LAKE)
# All of them are within the transaction that appends.
BEFORE_THE_COMMIT = {"copy", "after-copy", "append", "after-append", "append_to_lake"}


@pytest.mark.scale
@pytest.mark.parametrize(
    ("world", "stage", "nth"),
    [(name, *moment) for name, moments in MOMENTS_OF_A_FIRST_SYNC.items() for moment in moments],
    indirect=["world"],
)
def test_the_next_sync_on_a_new_machine_repairs_a_killed_first_one(
    world: World, stage: str, nth: int
) -> None:
    """After SIGKILL at a stage, the next sync ends as an undisturbed first one, the log's kinds included.

    Nothing is seen of what was appended before its transaction is committed.
    """
    undisturbed = world.of_a_first_sync
    warehouse = world.warehouse.emptied(f"first-{stage}-{nth}")

    assert world.sync(warehouse, stage, str(nth)) == -signal.SIGKILL
    if stage in BEFORE_THE_COMMIT:
        assert not any(warehouse.content().values())
    world.sync(warehouse)

    assert world.content(warehouse) == undisturbed


@pytest.mark.scale
@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_every_load_job_is_a_tested_moment(world: World) -> None:
    """The killed sync has exactly as many load jobs as the test above assumes."""
    warehouse = world.warehouse.copied("one-job-too-many")

    assert world.sync(warehouse, "job", str(JOBS[warehouse.destination] + 1)) == 0


REFUSED = {
    "athena": "staging",
    "dremio": "staging",
    "dummy": "read back",
    "lancedb": "delete-insert",
    "qdrant": "delete-insert",
    "weaviate": "delete-insert",
}


@pytest.mark.parametrize(("name", "lack"), REFUSED.items())
def test_an_unsupported_destination_is_refused_before_any_request(
    api: FakeApi, run: Run, name: str, lack: str
) -> None:
    """The message says what the destination lacks and which to choose instead, also in a dry run."""
    for arguments in (["sync"], ["sync", "--dry-run"]):
        done = run(*arguments, "--destination", name)

        assert done.exit_code == 2
        assert done.stderr.startswith(f"error: the destination {name} ")
        assert lack in done.stderr
        assert "Traceback" not in done.stderr
    assert not api.requests


def test_files_without_delta_tables_are_refused(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain files can only be appended to; the message says what to install."""
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "files")
    # This makes the import fail as if the package were not installed.
    monkeypatch.setitem(sys.modules, "deltalake", None)

    done = run("sync", "--destination", "filesystem")

    assert done.exit_code == 2
    assert "pip install 'deltalake>=1.5'" in done.stderr
    assert not api.requests
    assert not Path("files").exists()


def test_limitations_of_a_destination_are_warned_of_first(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta tables have no common transaction and no views: the sync warns of both and is complete."""
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "files")
    api.organisation.add(FIRST, client_id="one")

    done = run("sync", "--destination", "filesystem")

    first, second, *_ = done.stderr.splitlines()
    assert first.startswith("warning: filesystem has no transaction over several tables")
    assert second.startswith("warning: filesystem has no views")
    assert done.exit_code == 0
