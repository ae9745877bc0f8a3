"""Promises 1 to 6 and 12 together: after any sequence of events, the dataset equals a model of it.

`EXACTNESS_EXAMPLES` and `EXACTNESS_STEPS` set how long it runs; `make sweep` sets both high. A failing
example is made shorter only if `EXACTNESS_SHRINK` is set, because that takes minutes.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import dlt
import hypothesis.strategies as st
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudflare_oauth import BusyError, Limits, SyncSettings, cloudflare_oauth, events
from cloudflare_oauth.reading.process import open_reader_process
from cloudflare_oauth_pipeline.destinations.target import DEFAULT_PIPELINE_NAME, Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation, Paging, ResultInfo
from cloudflare_oauth_pipeline.fake_api.faults import TEMPORARY, error
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support import expected
from tests.support.edits import ACCOUNTS, Edit, accounts, clients, edits
from tests.support.killed_sync import kill_at
from tests.support.programs import ServedProgram, copied_program, this_program
from tests.support.warehouses import DATASET, DuckDB, Postgres, Warehouse

EXAMPLES = int(os.environ.get("EXACTNESS_EXAMPLES", "1"))
STEPS = int(os.environ.get("EXACTNESS_STEPS", "20"))
LIMITS = Limits(attempts=4, first_backoff_seconds=0.001, longest_backoff_seconds=0.001)
PER_PAGE = 3
MOMENTS = ["listing", "tables", "extract", "normalize", "load", "job", "after-job", "completed"]
TABLES_PY = "sources/cloudflare_oauth/records/tables.py"
COPIES = {
    "reworded": {TABLES_PY: ('"Name of the account."', '"The name of the account."')},
    "better rules": {TABLES_PY: ("DERIVED_VERSION = 2", "DERIVED_VERSION = 3")},
}

# These are forked from a process that has imported everything and has no threads.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])

# Whether a reader process sends the requests: seldom, because it starts slower than all the rest.
reads_in_a_process = st.integers(0, 3).map(lambda number: number == 3)
fractions = st.sampled_from([0.5, 0.5, 0.5, 0.7, 0.1, 1])
changes_of_accounts = st.lists(st.tuples(accounts, edits()), max_size=5)

Changes = list[tuple[str, Edit]]


@dataclass(frozen=True)
class Machine:
    """Where a sync runs, with which settings."""

    warehouse: Warehouse
    home: Path
    base_url: str
    max_delete_fraction: float = 0.5
    account_ids: tuple[str, ...] | None = None
    pipeline_name: str = DEFAULT_PIPELINE_NAME

    def sync(
        self, *, in_a_process: bool = False, observer: events.Observer = events.ignore
    ) -> dict[str, Any]:
        """Sync in this process."""
        os.environ.update(self.warehouse.environment)
        return sync(
            Target(**self._target()),
            SyncSettings(**self._settings(), limits=LIMITS),
            open_reader=open_reader_process if in_a_process else None,
            observer=observer,
        ).as_json()

    def sync_with(self, program: ServedProgram) -> dict[str, Any]:
        """Sync with another program."""
        target = {
            name: value if isinstance(value, str) else str(value) for name, value in self._target().items()
        }
        return program.sync(
            target=target,
            settings=self._settings() | {"limits": asdict(LIMITS)},
            environment=self.warehouse.environment,
        )

    def sync_killed(self, stage: str, nth: int, in_a_process: bool) -> None:
        """Sync in this process, and kill it."""
        kill_at("result" if in_a_process and stage == "listing" else stage, nth)
        self.sync(in_a_process=in_a_process)

    def run_bare_source(self, **arguments: Any) -> None:
        """Run the source in a plain dlt pipeline."""
        os.environ.update(self.warehouse.environment)
        pipeline = dlt.pipeline(
            "bare",
            pipelines_dir=str(self.home / "bare"),
            destination=self.warehouse.destination,
            dataset_name=DATASET,
        )
        pipeline.run(cloudflare_oauth(**self._settings(), limits=LIMITS), **arguments)

    def _target(self) -> dict[str, Any]:
        target = {
            "destination": self.warehouse.destination,
            "pipelines_dir": self.home,
            "pipeline_name": self.pipeline_name,
        }
        return target | ({"db": self.warehouse.file} if isinstance(self.warehouse, DuckDB) else {})

    def _settings(self) -> dict[str, Any]:
        return {
            "api_token": FAKE_TOKEN,
            "base_url": self.base_url,
            "concurrency": 2,
            "max_delete_fraction": self.max_delete_fraction,
            "account_ids": self.account_ids,
        }


class Model(RuleBasedStateMachine):
    """Clients change, the API misbehaves, and syncs run or are killed; the model says what must be stored."""

    def __init__(
        self,
        warehouse: Callable[[Path], Warehouse],
        programs: dict[str, ServedProgram],
        steps: Iterator[int],
        *,
        faulty: bool,
    ) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="exactness-"))
        self.warehouse = warehouse(self.folder)
        self.programs = programs
        self.steps = steps
        self.faulty = faulty
        self.homes = 0
        self.api = FakeApi(Organisation()).__enter__()
        self.organisation = self.api.organisation
        self.api.behaviour.clients_paging = Paging.capped(PER_PAGE)
        self.unreadable: dict[str, str] = {}
        self.unprovable: set[str] = set()
        self.vanished: dict[str, list[Any]] = {}
        self.expected = {account: expected.Account() for account in ACCOUNTS}
        self.synced = False
        # Whether the bare source has ever been run.
        self.bare = False

    def teardown(self) -> None:
        self.api.__exit__(None, None, None)
        shutil.rmtree(self.folder)
        if isinstance(self.warehouse, Postgres):
            self.warehouse.dropped()

    @initialize(seed=st.integers(0, 99))
    def three_accounts(self, seed: int) -> None:
        for account in ACCOUNTS:
            self.organisation.add_account(account)
        if self.faulty:
            # A tenth of the responses fail, which changes nothing.
            self.api.behaviour.fail_randomly(
                *TEMPORARY, share=0.1, seed=seed, at_most_in_a_row=LIMITS.attempts - 1
            )

    @invariant()
    def step(self) -> None:
        next(self.steps)

    # Changes to the organisation.

    @rule(changes=changes_of_accounts)
    def edit(self, changes: Changes) -> None:
        for account, edit in changes:
            if account not in self.vanished:
                edit.apply(self.organisation, account)

    @rule(account=accounts)
    def delete_all(self, account: str) -> None:
        for document in self._listed(account):
            self.organisation.remove(account, document["client_id"])

    @rule(account=accounts)
    def vanish(self, account: str) -> None:
        # A sync that sees no account fails, so one account always stays.
        if account not in self.vanished and len(self.vanished) < len(ACCOUNTS) - 1:
            self.vanished[account] = self.organisation.clients(account)
            self.organisation.remove_account(account)

    @precondition(lambda self: self.vanished)
    @rule()
    def reappear(self) -> None:
        account, documents = self.vanished.popitem()
        self.organisation.add_account(account)
        for document in documents:
            self.organisation.put(account, document)

    # Misbehaviour of the API.

    @rule(account=accounts, status=st.sampled_from(["forbidden", "failed"]))
    def cut_off(self, account: str, status: str) -> None:
        if status == "forbidden":
            self.api.behaviour.forbid(account)
        else:
            self.api.behaviour.break_(account, error(500))
        self.unreadable[account] = status

    @rule(account=accounts)
    def miscount(self, account: str) -> None:
        self.api.behaviour.result_info_of[account] = ResultInfo.off_by(1)
        self.unprovable.add(account)

    @rule()
    def heal(self) -> None:
        self.api.behaviour.heal()
        self.api.behaviour.result_info_of.clear()
        self.unreadable.clear()
        self.unprovable.clear()

    # Syncs.

    @rule()
    def new_machine(self) -> None:
        self.homes += 1

    @rule(changes=changes_of_accounts, in_a_process=reads_in_a_process, fraction=fractions)
    def sync(self, changes: Changes, in_a_process: bool, fraction: float) -> None:
        self.edit(changes)
        summary = self._machine(max_delete_fraction=fraction).sync(in_a_process=in_a_process)
        self._expect_a_sync(summary, max_delete_fraction=fraction)

    @rule(account=accounts, client=clients, page=st.integers(1, 3))
    def sync_while_it_changes(self, account: str, client: str, page: int) -> None:
        """A client is added or removed once, before a page is served."""
        moved: list[str] = []

        def change(of: str, number: int, organisation: Organisation) -> None:
            if of == account and number == page and not moved:
                moved.append(client)
                if any(document["client_id"] == client for document in self._listed(account)):
                    organisation.remove(account, client)
                else:
                    organisation.add(account, client_id=client)

        missing = self.expected[account].stored.keys() - {one["client_id"] for one in self._listed(account)}
        self.api.behaviour.between = change
        summary = self._machine().sync()
        self.api.behaviour.between = None
        # A change during the second of the three readings that a deletion may take: no two of them agree.
        may_be_unproven = moved and missing and account not in self.unprovable | self.unreadable.keys()
        if may_be_unproven and self._last_status(account) == "incomplete":
            self.unprovable.add(account)
            self._expect_a_sync(summary)
            self.unprovable.remove(account)
        else:
            self._expect_a_sync(summary)

    @rule(
        stage=st.sampled_from(MOMENTS),
        nth=st.integers(1, 8),
        replaced=st.booleans(),
        in_a_process=reads_in_a_process,
        changes=changes_of_accounts,
    )
    def killed_sync(self, changes: Changes, stage: str, nth: int, replaced: bool, in_a_process: bool) -> None:
        self.edit(changes)
        process = processes.Process(target=self._machine().sync_killed, args=(stage, nth, in_a_process))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if replaced:
            self.homes += 1
        self._expect_a_sync(self._machine().sync())

    @rule(
        changes=changes_of_accounts,
        some=st.sets(accounts, min_size=1, max_size=2),
        name=st.sampled_from(["shard-1", "shard-2"]),
    )
    def sync_a_shard(self, changes: Changes, some: set[str], name: str) -> None:
        """It names its accounts, and has a pipeline and a home of its own."""
        self.edit(changes)
        machine = self._machine(home=name, account_ids=tuple(sorted(some)), pipeline_name=name)
        self._expect_a_sync(machine.sync(), account_ids=some)

    @rule(changes=changes_of_accounts, name=st.sampled_from(sorted(COPIES)))
    def sync_with_another_program(self, changes: Changes, name: str) -> None:
        """An upgrade; the next sync with this program is a downgrade."""
        self.edit(changes)
        self._expect_a_sync(self._machine().sync_with(self.programs[name]))

    @rule(changes=changes_of_accounts, fraction=fractions)
    def run_the_bare_source(self, changes: Changes, fraction: float) -> None:
        self.edit(changes)
        self._machine(max_delete_fraction=fraction).run_bare_source()
        self.bare = True
        self._expect_a_sync(None, max_delete_fraction=fraction)

    @precondition(lambda self: self.synced)
    @rule(
        arguments=st.sampled_from(
            [
                {"refresh": "drop_sources"},
                {"refresh": "drop_resources"},
                {"refresh": "drop_data"},
                {"write_disposition": "replace"},
            ]
        )
    )
    def start_over(self, arguments: dict[str, str]) -> None:
        """It is refused, and changes nothing."""
        if "refresh" in arguments and not self.bare:
            # To dlt the source is new in this pipeline: it warns that a refresh has no effect.
            self._machine().run_bare_source(**arguments)
            self.bare = True
            self._expect_a_sync(None)
            return
        before = self._everything()
        with pytest.raises(PipelineStepFailed, match="To start over, choose another dataset_name"):
            self._machine().run_bare_source(**arguments)
        assert self._everything() == before

    @rule(account=accounts, changes=st.lists(edits(), max_size=5))
    def two_syncs_at_once(self, account: str, changes: list[Edit]) -> None:
        """The second begins and ends after the first has compared an account, which has changed since."""
        others: list[dict[str, Any]] = []
        is_duckdb = isinstance(self.warehouse, DuckDB)

        def observe(event: events.Event) -> None:
            if isinstance(event, events.AccountDone) and event.account_id == account and not others:
                if is_duckdb:
                    self._expect(ACCOUNTS, 0.5)
                for edit in changes:
                    edit.apply(self.organisation, account)
                others.append(self._machine(home="other").sync_with(self.programs["this"]))

        summary = self._machine().sync(observer=observe)
        if account in self.vanished:
            assert others == []
            self._expect_a_sync(summary)
        elif is_duckdb:
            assert [other.get("error") for other in others] == [BusyError.__name__]
            expected.check(self.warehouse, self.expected)
        else:
            self._expect_a_sync(others[0])
        self.synced = True

    def _last_status(self, account: str) -> str:
        rows = [row for row in self.warehouse.everything()["account_syncs"] if row["account_id"] == account]
        status: str = max(rows, key=lambda row: row["sync_number"])["status"]
        return status

    def _everything(self) -> dict[str, list[str]]:
        """Every row of every table, dlt's own included."""
        return {table: sorted(map(repr, rows)) for table, rows in self.warehouse.everything().items()}

    # The expected outcome.

    def _machine(self, home: str = "home", **settings: Any) -> Machine:
        return Machine(self.warehouse, self.folder / f"{home}-{self.homes}", self.api.base_url, **settings)

    def _listed(self, account: str) -> list[dict[str, Any]]:
        return [] if account in self.vanished else self.organisation.clients(account)

    def _expect_a_sync(
        self,
        summary: dict[str, Any] | None,
        account_ids: set[str] | None = None,
        max_delete_fraction: float = 0.5,
    ) -> None:
        """The model takes over what the API lists; the summary and the dataset agree with it."""
        statuses = self._expect(account_ids or set(ACCOUNTS) - self.vanished.keys(), max_delete_fraction)
        assert summary is None or summary["accounts"] == statuses, summary
        expected.check(self.warehouse, self.expected)
        self.synced = True

    def _expect(self, account_ids: Any, max_delete_fraction: float) -> Counter[str]:
        statuses: Counter[str] = Counter()
        for account in account_ids:
            if account in self.unreadable:
                statuses[self.unreadable[account]] += 1
            elif account in self.vanished:
                # The credentials do not see it.
                statuses["forbidden"] += 1
            else:
                status = self.expected[account].read(
                    self._listed(account),
                    provable=account not in self.unprovable,
                    max_delete_fraction=max_delete_fraction,
                )
                statuses[status] += 1
        return statuses


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServedProgram]]:
    """This program and copies of it, each in a process that waits for syncs to run."""
    folder = tmp_path_factory.mktemp("programs")
    with ExitStack() as stack:
        made = {"this": this_program()} | {
            name: copied_program(folder / name, edits) for name, edits in COPIES.items()
        }
        yield {
            name: stack.enter_context(program.served(folder / f"home of {name}"))
            for name, program in made.items()
        }


@pytest.mark.variants(1)
@pytest.mark.parametrize("faulty", [False, True], ids=["sound", "faulty"])
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_the_dataset_equals_the_model(
    destination: str,
    faulty: bool,
    request: pytest.FixtureRequest,
    programs: dict[str, ServedProgram],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens, in whatever order: the tables, the log and what is withheld are as promised."""
    numbers, steps = count(), count()

    def warehouse(folder: Path) -> Warehouse:
        if destination == "duckdb":
            return DuckDB(folder / "clients.duckdb")
        server: Postgres = request.getfixturevalue("server")
        return server.emptied(f"exactness_{os.getpid()}_{faulty}_{next(numbers)}")

    # Set by each machine; restored by this.
    monkeypatch.setenv(f"DESTINATION__{destination.upper()}__CREDENTIALS", "")
    run_state_machine_as_test(
        lambda: Model(warehouse, programs, steps, faulty=faulty),
        settings=settings(
            max_examples=EXAMPLES if destination == "duckdb" else (EXAMPLES + 1) // 2,
            stateful_step_count=STEPS,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, *([Phase.shrink] if "EXACTNESS_SHRINK" in os.environ else [])],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    print(f"{destination}, {'faulty' if faulty else 'sound'}: {next(steps)} steps")
