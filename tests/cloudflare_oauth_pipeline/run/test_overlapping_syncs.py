"""Two machines sync one account into one dataset at once: the newer reading wins, and the log never forks."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import events
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FakeApi, Organisation, account_id
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import settings_for
from tests.support.programs import this_program
from tests.support.warehouses import Sync, Warehouse

A, B = account_id("a"), account_id("b")

# Each starts several processes.
pytestmark = pytest.mark.scale

Other = Callable[[], object]


@pytest.fixture
def overlapped(
    api: FakeApi, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Other], Summary]:
    """Syncs, and has something else done each time it has compared account A, before it loads."""
    for name, value in warehouse.environment.items():
        monkeypatch.setenv(name, value)

    def overlapped(other: Other) -> Summary:
        def observe(event: events.Event) -> None:
            if isinstance(event, events.AccountDone) and event.account_id == A:
                other()

        target = Target(destination=warehouse.destination, pipelines_dir=tmp_path / "slow")
        return sync(target, settings_for(api), observer=observe)

    return overlapped


def check(warehouse: Warehouse, api: FakeApi) -> None:
    """The tables equal what the API has, and each client's log is one chain that ends there."""
    listed = {
        (account, document["client_id"]): (document.get("client_name"), sorted(document.get("scopes", [])))
        for account in (A, B)
        for document in api.organisation.clients(account)
    }
    scopes = Counter[tuple[Any, ...]]()
    for row in warehouse.rows("oauth_clients__scopes"):
        scopes[row["account_id"], row["client_id"], row["value"]] += 1
    rows = [
        (row["account_id"], row["client_id"], row["client_name"]) for row in warehouse.rows("oauth_clients")
    ]
    assert sorted(rows) == sorted((*key, name) for key, (name, _) in listed.items())
    assert scopes == Counter((*key, scope) for key, (_, all_) in listed.items() for scope in all_)
    log = warehouse.rows("oauth_client_changes")
    follows = Counter(row["previous_change_id"] for row in log if row["previous_change_id"])
    assert set(follows.values()) <= {1}, "the log forks"
    starts = Counter((row["account_id"], row["client_id"]) for row in log if not row["previous_change_id"])
    assert set(starts.values()) <= {1}, "the log forks"
    assert len({row["change_id"] for row in log}) == len(log)
    ends = {
        (row["account_id"], row["client_id"]): row["client_name"]
        for row in log
        if row["change_id"] not in follows and row["change"] != "deleted"
    }
    assert ends == {key: name for key, (name, _) in listed.items()}
    syncs = Counter((row["sync_id"], row["account_id"]) for row in warehouse.rows("account_syncs"))
    assert set(syncs.values()) <= {1}


def rename(organisation: Organisation) -> None:
    organisation.change(A, "renamed", client_name="newest", scopes=["c"])


def delete(organisation: Organisation) -> None:
    organisation.remove(A, "deleted")


def create(organisation: Organisation) -> None:
    organisation.add(A, client_id="created", client_name="new", scopes=["a"])


def change_back(organisation: Organisation) -> None:
    organisation.change(A, "changed back", client_name="old", scopes=["a", "b"])


@pytest.mark.parametrize("meanwhile", [rename, delete, create, change_back])
def test_the_older_reading_never_wins(
    api: FakeApi,
    sync_into: Sync,
    warehouse: Warehouse,
    overlapped: Callable[[Other], Summary],
    tmp_path: Path,
    meanwhile: Callable[[Organisation], None],
) -> None:
    """Another machine reads and loads later changes before this one loads: this one reads again."""
    organisation = api.organisation
    for name in ("renamed", "deleted", "changed back", "same"):
        organisation.add(A, client_id=name, client_name="old", scopes=["a", "b"])
    organisation.add(B, client_id="b", client_name="b")
    sync_into(warehouse)
    for name in ("renamed", "changed back"):
        organisation.change(A, name, client_name="newer", scopes=["b"])
    others: list[dict[str, Any]] = []

    def other() -> None:
        if not others:
            meanwhile(organisation)
            others.append(this_program().sync(api, warehouse, tmp_path / "fast"))

    summary = overlapped(other)

    assert [done["exit_code"] for done in others] == [0], others[0]["stderr"]
    assert (summary.status, summary.accounts) == ("complete", {"complete": 2})
    check(warehouse, api)
    assert sync_into(warehouse).clients["unchanged"] == sum(len(organisation.clients(one)) for one in (A, B))


def test_two_first_syncs_end_as_one(
    api: FakeApi, warehouse: Warehouse, overlapped: Callable[[Other], Summary], tmp_path: Path
) -> None:
    """Both find an empty dataset; every client is logged once."""
    for number in range(5):
        api.organisation.add(A, client_id=f"{number}", client_name="old", scopes=["a"])
    api.organisation.add(B, client_id="b", client_name="b")
    others: list[dict[str, Any]] = []

    def other() -> None:
        if not others:
            others.append(this_program().sync(api, warehouse, tmp_path / "fast"))

    summary = overlapped(other)

    assert [done["exit_code"] for done in others] == [0], others[0]["stderr"]
    assert summary.status == "complete"
    check(warehouse, api)
    assert len(warehouse.rows("oauth_client_changes")) == 6


def test_an_account_that_is_overtaken_every_time_is_failed(
    api: FakeApi,
    sync_into: Sync,
    warehouse: Warehouse,
    overlapped: Callable[[Other], Summary],
    tmp_path: Path,
) -> None:
    """It ends, says so, and leaves what the other machine has written."""
    for account in (A, B):
        api.organisation.add(account, client_id="1", client_name="old", scopes=["a"])
    sync_into(warehouse)
    api.organisation.change(A, "1", client_name="0")
    names = iter("123456")

    def other() -> None:
        if name := next(names, None):
            api.organisation.change(A, "1", client_name=name)
            assert this_program().sync(api, warehouse, tmp_path / "fast")["exit_code"] == 0
            api.organisation.change(A, "1", client_name=next(names))

    summary = overlapped(other)

    assert (summary.exit_code, summary.accounts) == (3, {"complete": 1, "failed": 1})
    (message,) = [
        row["error_message"] for row in warehouse.rows("account_syncs") if row["status"] == "failed"
    ]
    assert "another sync wrote it" in message
    assert {row["client_name"] for row in warehouse.rows("oauth_clients")} == {"old", "5"}
    assert sync_into(warehouse).clients["updated"] == 1
    check(warehouse, api)


def test_nothing_is_read_again_if_this_sync_has_nothing_to_write(
    api: FakeApi,
    sync_into: Sync,
    warehouse: Warehouse,
    overlapped: Callable[[Other], Summary],
    tmp_path: Path,
) -> None:
    """What the other one wrote may be newer, and stays."""
    for account in (A, B):
        api.organisation.add(account, client_id="1", client_name="old", scopes=["a"])
    sync_into(warehouse)
    others: list[dict[str, Any]] = []

    def other() -> None:
        api.organisation.change(A, "1", client_name="newest")
        others.append(this_program().sync(api, warehouse, tmp_path / "fast"))

    summary = overlapped(other)

    assert [done["clients"]["updated"] for done in others] == [1]
    assert (summary.status, summary.clients["unchanged"]) == ("complete", 2)
    check(warehouse, api)


def test_syncs_of_different_accounts_do_not_wait_for_each_other(
    api: FakeApi, sync_into: Sync, warehouse: Warehouse, tmp_path: Path
) -> None:
    """One is held in the middle of its reading; the other begins, loads and ends meanwhile."""
    for account in (A, B):
        api.organisation.add(account, client_id="1", client_name="old", scopes=["a"])
    sync_into(warehouse)
    api.organisation.change(A, "1", client_name="new")
    api.organisation.change(B, "1", client_name="new")
    asked, go_on = threading.Event(), threading.Event()

    def hold(account: str, _page: int, _organisation: Organisation) -> None:
        if account == A:
            asked.set()
            go_on.wait(60)

    api.behaviour.between = hold
    arguments = ("sync", "--destination", warehouse.destination, "--format", "json", "--account")
    # The held API answers nothing else meanwhile.
    with FakeApi(api.organisation) as quick_api, ThreadPoolExecutor() as threads:
        slow = threads.submit(
            this_program().run,
            *(*arguments, A, "--pipeline-name", "slow"),
            api=api,
            warehouse=warehouse,
            home=tmp_path / "slow",
        )
        assert asked.wait(60)
        fast = this_program().run(*arguments, B, api=quick_api, warehouse=warehouse, home=tmp_path / "fast")
        assert not slow.done()
        go_on.set()
        assert (fast.returncode, slow.result().returncode) == (0, 0), fast.stderr + slow.result().stderr
    check(warehouse, api)


@pytest.mark.scale
def test_overlapping_syncs_of_a_moving_organisation_end_exact(
    api: FakeApi, warehouse: Warehouse, tmp_path: Path
) -> None:
    """Three machines, changes all the time; one last sync ends exact, and the log never forks."""
    for account in (A, B):
        for number in range(30):
            api.organisation.add(account, client_id=f"{number}", client_name="0", scopes=["a", "b"])

    def one(machine: int) -> int:
        done = this_program().sync(api, warehouse, tmp_path / f"machine-{machine}")
        assert done["exit_code"] in (0, 3), done["stderr"]
        return int(done["exit_code"])

    with ThreadPoolExecutor(4) as threads:
        for turn in range(2 if warehouse.destination == "filesystem" else 10):
            running = [threads.submit(one, machine) for machine in range(3)]
            for number in range(turn, 30, 3):
                api.organisation.change(A, f"{number}", client_name=f"{turn}", scopes=[f"{turn}"])
            api.organisation.add(B, client_id=f"new {turn}", client_name="new")
            for each in running:
                each.result()
        assert one(0) == 0
    check(warehouse, api)
