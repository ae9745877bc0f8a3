"""Promises 1 to 6 together: after any sequence of events, the dataset equals a model of it.

`EXACTNESS_EXAMPLES` and `EXACTNESS_STEPS` set how long it runs; `make sweep` sets both high.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cloudflare_oauth import Limits, SyncSettings
from cloudflare_oauth.reading.process import open_reader_process
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import (
    ABSENT,
    FAKE_TOKEN,
    FakeApi,
    Organisation,
    Paging,
    ResultInfo,
    account_id,
)
from cloudflare_oauth_pipeline.fake_api.faults import TEMPORARY, error
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support import reconstruction
from tests.support.killed_sync import kill_at

EXAMPLES = int(os.environ.get("EXACTNESS_EXAMPLES", "8"))
STEPS = int(os.environ.get("EXACTNESS_STEPS", "20"))
LIMITS = Limits(attempts=4, first_backoff_seconds=0.001, longest_backoff_seconds=0.001)
ACCOUNTS = [account_id(number) for number in range(3)]
PER_PAGE = 3
URIS = ["https://a.example/cb", "https://b.example/cb", "http://c.example/", "=1+1", "Ω"]
MOMENTS = ["listing", "tables", "extract", "normalize", "load", "job", "after-job", "completed"]

# These are forked from a process that has imported everything and has no threads.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])

accounts = st.sampled_from(ACCOUNTS)
# Whether a reader process sends the requests: seldom, because it starts slower than all the rest.
reads_in_a_process = st.integers(0, 3).map(lambda number: number == 3)
clients = st.integers(0, 13).map("client-{}".format)
arrays = st.sampled_from([ABSENT, None, []]) | st.lists(st.sampled_from(URIS), min_size=1, max_size=4)
fields = st.fixed_dictionaries(
    {},
    optional={
        "client_name": st.sampled_from(["one", "two", "", None]),
        "visibility": st.sampled_from(["public", "private"]),
        "redirect_uris": arrays,
        "scopes": arrays,
        "has_rotated_secret": st.booleans() | st.none(),
        "updated_at": st.sampled_from(["2026-06-03T00:00:00Z", "2026-06-04T02:00:00+02:00", ABSENT]),
        "client_uri_verification": st.sampled_from([None, {}, {"status": "pending", "text": "t"}]),
    },
)


def run_sync(db: Path, home: Path, base_url: str, *, in_a_process: bool = False) -> Summary:
    target = Target(db=db, pipelines_dir=home)
    return sync(
        target,
        SyncSettings(api_token=FAKE_TOKEN, base_url=base_url, concurrency=2, limits=LIMITS),
        open_reader=open_reader_process if in_a_process else None,
    )


def run_killed_sync(stage: str, nth: int, db: Path, home: Path, base_url: str, in_a_process: bool) -> None:
    kill_at("result" if in_a_process and stage == "listing" else stage, nth)
    run_sync(db, home, base_url, in_a_process=in_a_process)


class Model(RuleBasedStateMachine):
    """Clients change, the API misbehaves, and syncs run or are killed; the model says what must be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="exactness-"))
        self.db = self.folder / "clients.duckdb"
        self.homes = 0
        self.api = FakeApi(Organisation()).__enter__()
        self.api.behaviour.clients_paging = Paging.capped(PER_PAGE)
        self.unreadable: set[str] = set()
        self.unprovable: set[str] = set()
        self.vanished: dict[str, list[Any]] = {}
        self.stored: dict[str, dict[str, Any]] = {account: {} for account in ACCOUNTS}
        self.baselined: set[str] = set()
        self.ever_logged: set[tuple[str, str]] = set()
        self.changes: Counter[tuple[str, str, str]] = Counter()

    def teardown(self) -> None:
        self.api.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    @property
    def home(self) -> Path:
        return self.folder / f"home-{self.homes}"

    @initialize()
    def three_accounts(self) -> None:
        for account in ACCOUNTS:
            self.api.organisation.add_account(account)

    # Changes to the organisation.

    @rule(account=accounts, client=clients, document=fields)
    def add_or_change(self, account: str, client: str, document: dict[str, Any]) -> None:
        organisation = self.api.organisation
        if account in self.vanished:
            return
        if client in self._listed(account):
            organisation.change(account, client, **document)
        else:
            sent = {name: value for name, value in document.items() if value is not ABSENT}
            organisation.add(account, client_id=client, **sent)

    @rule(account=accounts, client=clients)
    def reorder(self, account: str, client: str) -> None:
        document = self._listed(account).get(client)
        for name in ("redirect_uris", "scopes"):
            if document and document.get(name):
                self.api.organisation.change(account, client, **{name: document[name][::-1]})

    @rule(account=accounts, seed=st.integers(0, 9))
    def list_in_another_order(self, account: str, seed: int) -> None:
        if account not in self.vanished:
            self.api.organisation.shuffle(account, seed)

    @rule(account=accounts, client=clients)
    def delete(self, account: str, client: str) -> None:
        if client in self._listed(account):
            self.api.organisation.remove(account, client)

    @rule(account=accounts)
    def delete_all(self, account: str) -> None:
        for client in self._listed(account):
            self.api.organisation.remove(account, client)

    @rule(account=accounts)
    def vanish(self, account: str) -> None:
        # A sync that sees no account fails, so one account always stays.
        if account not in self.vanished and len(self.vanished) < len(ACCOUNTS) - 1:
            self.vanished[account] = self.api.organisation.clients(account)
            self.api.organisation.remove_account(account)

    @precondition(lambda self: self.vanished)
    @rule()
    def reappear(self) -> None:
        account, documents = self.vanished.popitem()
        self.api.organisation.add_account(account)
        for document in documents:
            self.api.organisation.put(account, document)

    # Misbehaviour of the API.

    @rule(account=accounts)
    def forbid(self, account: str) -> None:
        self.api.behaviour.forbid(account)
        self.unreadable.add(account)

    @rule(account=accounts)
    def break_down(self, account: str) -> None:
        self.api.behaviour.break_(account, error(500))
        self.unreadable.add(account)

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

    @rule(in_a_process=reads_in_a_process)
    def sync(self, in_a_process: bool) -> None:
        run_sync(self.db, self.home, self.api.base_url, in_a_process=in_a_process)
        self._expect_a_sync()
        self._check()

    @rule(account=accounts, client=clients, page=st.integers(1, 3))
    def sync_while_it_changes(self, account: str, client: str, page: int) -> None:
        """A client is added or removed once, before a page is served."""
        moved: list[str] = []

        def change(of: str, number: int, organisation: Organisation) -> None:
            if of == account and number == page and not moved:
                moved.append(client)
                if client in self._listed(account):
                    organisation.remove(account, client)
                else:
                    organisation.add(account, client_id=client)

        self.api.behaviour.between = change
        run_sync(self.db, self.home, self.api.base_url)
        self.api.behaviour.between = None
        self._expect_a_sync()
        self._check()

    @rule(
        stage=st.sampled_from(MOMENTS),
        nth=st.integers(1, 8),
        replaced=st.booleans(),
        in_a_process=reads_in_a_process,
    )
    def killed_sync(self, stage: str, nth: int, replaced: bool, in_a_process: bool) -> None:
        arguments = (stage, nth, self.db, self.home, self.api.base_url, in_a_process)
        process = processes.Process(target=run_killed_sync, args=arguments)
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if replaced:
            self.homes += 1
        run_sync(self.db, self.home, self.api.base_url)
        self._expect_a_sync()
        self._check()

    # The expected outcome.

    def _listed(self, account: str) -> dict[str, Any]:
        if account in self.vanished:
            return {}
        return {document["client_id"]: document for document in self.api.organisation.clients(account)}

    def _expect_a_sync(self) -> None:
        for account in ACCOUNTS:
            if account in self.vanished or account in self.unreadable:
                continue
            listed = {id_: reconstruction.comparable(doc) for id_, doc in self._listed(account).items()}
            stored = self.stored[account]
            gone = stored.keys() - listed.keys()
            blocked = len(stored) >= 10 and len(gone) > 0.5 * len(stored)
            provable = account not in self.unprovable
            for client, document in listed.items():
                if client not in stored:
                    is_new = account in self.baselined or (account, client) in self.ever_logged
                    self.changes[account, client, "created" if is_new else "baseline"] += 1
                elif stored[client] != document:
                    self.changes[account, client, "updated"] += 1
                stored[client] = document
                self.ever_logged.add((account, client))
            if provable:
                self.baselined.add(account)
                for client in () if blocked else gone:
                    self.changes[account, client, "deleted"] += 1
                    del stored[client]

    def _check(self) -> None:
        expected = {account: clients for account, clients in self.stored.items() if clients}
        assert reconstruction.stored(self.db) == expected
        assert reconstruction.replayed(self.db) == expected
        logged = Counter(
            (row["account_id"], row["client_id"], row["change"]) for row in reconstruction.log(self.db)
        )
        assert logged == self.changes


class FaultyModel(Model):
    """The same model with faults in a tenth of the responses, which change nothing."""

    @initialize(seed=st.integers(0, 99))
    def faults(self, seed: int) -> None:
        self.api.behaviour.fail_randomly(
            *TEMPORARY, share=0.1, seed=seed, at_most_in_a_row=LIMITS.attempts - 1
        )


TestExactness = Model.TestCase
TestExactnessWithFaults = FaultyModel.TestCase
TestExactness.settings = TestExactnessWithFaults.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
