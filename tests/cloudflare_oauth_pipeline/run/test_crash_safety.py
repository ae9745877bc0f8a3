"""Promise 6: after a sync is killed at any moment, the next one ends as an undisturbed sync does."""

import contextlib
import inspect
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation, account_id
from tests.support.commands import TESTS_ON_PATH
from tests.support.killed_sync import STAGES, function_of

SYNC = ("-m", "cloudflare_oauth_pipeline", "sync")
BARE_SYNC = ("-m", "tests.support.bare_sync")
FULL_DISK = ("-m", "tests.support.sync_without_room")
KILLED_SYNC = ("-m", "tests.support.killed_sync")
# These differ in every run of the same data.
VOLATILE = ("observed_at", "sync_id", "started_at", "finished_at", "waited_seconds")
FIRST, SECOND, THIRD = (account_id(name) for name in ("first", "second", "third"))


def organisation_before() -> Organisation:
    organisation = Organisation()
    for number in range(30):
        for account in (FIRST, SECOND):
            organisation.add(
                account,
                client_id=f"client-{number}",
                client_name=f"Client {number}",
                redirect_uris=[f"https://{number}.example/a", f"https://{number}.example/b"],
                scopes=["zone.read", "dns.write"],
            )
    organisation.add(THIRD, client_id="last", scopes=["zone.read"])
    return organisation


def change_everything(organisation: Organisation) -> None:
    """Every kind of change, in one table or in several."""
    for number in range(5):
        organisation.change(FIRST, f"client-{number}", redirect_uris=[f"https://{number}.example/c"])
    organisation.change(SECOND, "client-0", client_name="Renamed", unknown_yet=["a", "b"])
    organisation.change(SECOND, "client-1", scopes=["dns.write", "zone.read"])
    organisation.remove(FIRST, "client-29")
    organisation.remove(THIRD, "last")
    organisation.add(
        SECOND, client_id="new", grant_types=["authorization_code"], redirect_uris=["https://new/"]
    )


class Machine:
    """A home folder with dlt's folder, and a DuckDB file that can be copied to another machine."""

    def __init__(self, folder: Path, api: FakeApi) -> None:
        self.folder = folder
        self.api = api
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def db(self) -> Path:
        return self.folder / "clients.duckdb"

    def run(
        self, *command: str | Path, check: bool = True, seconds: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        environment = (
            os.environ
            | TESTS_ON_PATH
            | {
                "HOME": str(self.folder),
                "DLT_DATA_DIR": str(self.folder / "dlt"),
                "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
                "CLOUDFLARE_BASE_URL": self.api.base_url,
            }
        )
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def sync(self) -> None:
        self.run(*SYNC, "--db", self.db)

    def killed_sync(self, stage: str, nth: int) -> int:
        return self.run(*KILLED_SYNC, stage, str(nth), "sync", "--db", self.db, check=False).returncode

    def replaced(self, name: str) -> "Machine":
        """A new machine with an empty home and the same database."""
        other = Machine(self.folder.with_name(name), self.api)
        for file in self.folder.glob("clients.duckdb*"):
            shutil.copy(file, other.folder)
        return other

    def copied(self, name: str) -> "Machine":
        """A copy of the machine: home, dlt's folder and database."""
        shutil.copytree(self.folder, self.folder.with_name(name))
        return Machine(self.folder.with_name(name), self.api)

    def content(self) -> dict[str, list[Any]]:
        """Every row of every table except dlt's own, without the columns that differ between runs."""
        with duckdb.connect(str(self.db), read_only=True) as connection:
            names = [
                name
                for (name,) in connection.sql(
                    "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cloudflare' "
                    "AND table_name NOT LIKE '\\_dlt%' ESCAPE '\\' AND table_name <> 'account_syncs'"
                ).fetchall()
            ]
            return {name: sorted(self._rows(connection, name), key=repr) for name in sorted(names)}

    def _rows(self, connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
        relation = connection.table(f"cloudflare.{name}")
        return [
            {
                column: value
                for column, value in sorted(zip(relation.columns, row, strict=True))
                if column not in VOLATILE and (not column.startswith("_dlt") or column == "_dlt_list_idx")
            }
            for row in relation.fetchall()
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, dict[str, list[Any]]]]:
    """A machine before its second sync, which finds every kind of change, and the content after that sync."""
    with FakeApi(organisation_before()) as api:
        machine = Machine(tmp_path_factory.mktemp("crash") / "machine", api)
        machine.sync()
        change_everything(api.organisation)
        undisturbed = machine.copied("undisturbed")
        undisturbed.sync()
        yield machine, undisturbed.content()


# The number of load jobs of the second sync; a test below checks it.
JOBS = 13
MOMENTS = [
    ("result", 1),
    ("result", 3),
    ("tables", 1),
    ("after-tables", 1),
    ("extract", 1),
    ("extract", 3),
    ("columns", 2),
    ("join", 1),
    ("after-join", 1),
    ("normalize", 1),
    ("after-normalize", 1),
    ("load", 1),
    *(("job", nth) for nth in (1, 5, 9)),
    *(("after-job", nth) for nth in range(1, JOBS + 1)),
    ("after-load", 1),
    ("completed", 1),
]


# Each moment runs on one of the two machines; `make sweep` runs each on both.
SWEEP = "SWEEP" in os.environ
KILLED = [
    (stage, nth, where)
    for number, (stage, nth) in enumerate(MOMENTS)
    for machine, where in enumerate(("same machine", "new machine"))
    if SWEEP or (number + machine) % 2
]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_a_public_function(stage: str) -> None:
    """Tests kill a sync at functions that exist under a public name, in this project and in dlt."""
    owner, attribute = function_of(stage)
    names = STAGES[stage].replace(":", ".").split(".")

    assert inspect.isroutine(getattr(owner, attribute))
    assert names[0] in ("cloudflare_oauth", "cloudflare_oauth_pipeline", "dlt")
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.scale
@pytest.mark.parametrize(("stage", "nth", "where"), KILLED)
def test_the_next_sync_repairs_a_killed_one(
    world: tuple[Machine, dict[str, list[Any]]], stage: str, nth: int, where: str
) -> None:
    """After SIGKILL at any stage, the next sync ends in the dataset and log of an undisturbed one."""
    before, undisturbed = world
    machine = before.copied(f"{stage}-{nth}-{where}".replace(" ", "-"))

    assert machine.killed_sync(stage, nth) == -signal.SIGKILL
    if where == "new machine":
        machine = machine.replaced(f"{machine.folder.name}-replacement")
    machine.sync()

    assert machine.content() == undisturbed


@pytest.mark.variants(1)
@pytest.mark.parametrize("tenth", range(1, 13) if SWEEP else (3, 5, 7, 9))
def test_the_next_sync_repairs_one_killed_at_any_time(
    world: tuple[Machine, dict[str, list[Any]]], tenth: int
) -> None:
    """SIGKILL comes after a number of tenths of the time that a sync takes, whatever it does then."""
    before, undisturbed = world
    machine = before.copied(f"any-time-{tenth}")
    started = time.monotonic()
    before.copied(f"any-time-{tenth}-undisturbed").sync()
    seconds = (time.monotonic() - started) * tenth / 10

    # `subprocess.run` sends SIGKILL when the time is up.
    with contextlib.suppress(subprocess.TimeoutExpired):
        machine.run(*SYNC, "--db", machine.db, seconds=seconds)
    machine.sync()

    assert machine.content() == undisturbed


@pytest.fixture(scope="module")
def first(world: tuple[Machine, dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """The content after an undisturbed first sync of the changed organisation."""
    machine = Machine(world[0].folder.with_name("first"), world[0].api)
    machine.sync()
    return machine.content()


@pytest.mark.scale
@pytest.mark.parametrize(
    ("stage", "nth"),
    [
        *((stage, 1) for stage in ("append", "after-append", "commit", "after-commit", "completed")),
        *(("after-job", nth) for nth in range(2, 15, 2 if SWEEP else 4)),
    ],
)
def test_a_killed_first_sync_can_be_resumed(
    world: tuple[Machine, dict[str, list[Any]]], first: dict[str, list[Any]], stage: str, nth: int
) -> None:
    """A "complete" in `account_syncs` does not count while the account's clients are not loaded.

    `--resume` leaves out no client, and logs no client of the baseline as created. Two of the accounts are
    appended; one has an undeclared field and is left to dlt.
    """
    machine = Machine(world[0].folder.with_name(f"first-{stage}-{nth}"), world[0].api)

    assert machine.killed_sync(stage, nth) == -signal.SIGKILL
    machine.run(*SYNC, "--db", machine.db, "--resume", "1h")

    assert machine.content() == first


@pytest.mark.scale
@pytest.mark.parametrize(
    ("nth", "where"),
    [*((nth, "same machine") for nth in range(1, 11, 1 if SWEEP else 2)), (5, "new machine")],
)
def test_the_next_run_repairs_a_killed_bare_pipeline(
    world: tuple[Machine, dict[str, list[Any]]], nth: int, where: str
) -> None:
    """Where dlt finds its pending package and loads it, no row is lost or duplicated."""
    before, undisturbed = world
    machine = before.copied(f"bare-{nth}-{where}".replace(" ", "-"))

    killed = machine.run(*BARE_SYNC, machine.db, "after-job", str(nth), check=False)
    if where == "new machine":
        machine = machine.replaced(f"{machine.folder.name}-replacement")
    machine.run(*BARE_SYNC, machine.db)

    assert killed.returncode == -signal.SIGKILL
    assert machine.content() == undisturbed


def test_every_load_job_is_a_tested_moment(world: tuple[Machine, dict[str, list[Any]]]) -> None:
    """The killed sync has exactly as many load jobs as the test above kills it at."""
    before, undisturbed = world
    machine = before.copied("one-job-too-many")

    assert machine.killed_sync("job", JOBS + 1) == 0
    assert machine.content() == undisturbed


@pytest.mark.variants(1)
@pytest.mark.parametrize("room", [5_000, 20_000, 50_000])
def test_the_next_sync_repairs_one_that_filled_the_disk(
    world: tuple[Machine, dict[str, list[Any]]], room: int
) -> None:
    """A file that cannot grow fails the sync with a message; the next sync, with room, ends exact."""
    before, undisturbed = world
    machine = before.copied(f"full-disk-{room}")

    failed = machine.run(*FULL_DISK, str(room), "sync", "--db", machine.db, check=False)
    machine.sync()

    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in failed.stderr
    assert machine.content() == undisturbed


@pytest.mark.variants(1)
@pytest.mark.parametrize("moment", ["first result", "loading"])
def test_an_interrupted_sync_ends_at_once_and_the_next_repairs_it(
    world: tuple[Machine, dict[str, list[Any]]], moment: str
) -> None:
    """Ctrl-C ends the sync within seconds and with a message; the next sync ends exact."""
    before, undisturbed = world
    machine = before.copied(f"interrupted-{moment}".replace(" ", "-"))
    stage = {"first result": "result", "loading": "after-job"}[moment]

    started = time.monotonic()
    done = machine.run(*KILLED_SYNC, f"{stage}:SIGINT", "2", "sync", "--db", machine.db, check=False)
    seconds = time.monotonic() - started
    machine.sync()

    assert (done.returncode, "interrupted" in done.stderr, "Traceback" in done.stderr) == (130, True, False)
    assert seconds < 10
    assert machine.content() == undisturbed


def test_concurrent_syncs_never_mix(world: tuple[Machine, dict[str, list[Any]]]) -> None:
    """Of several syncs into one file, those that find it in use say so; the dataset is exact."""
    before, undisturbed = world
    machine = before.copied("at-once")
    others = [Machine(machine.folder / f"home-{number}", machine.api) for number in range(2)]

    with ThreadPoolExecutor() as threads:
        done = list(
            threads.map(
                lambda one: one.run(*SYNC, "--db", machine.db, check=False), [machine, machine, *others]
            )
        )

    codes = [one.returncode for one in done]
    assert 0 in codes
    assert set(codes) <= {0, 1}
    for one in done:
        assert one.returncode == 0 or "another" in one.stderr or "is open in process" in one.stderr
    assert machine.content() == undisturbed
