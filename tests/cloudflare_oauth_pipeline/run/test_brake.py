"""Deletions that were withheld stay withheld until more may vanish or the clients are back."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from cloudflare_oauth import SyncSettings, cloudflare_oauth
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, ResultInfo, account_id, faults
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import LIMITS
from tests.support.commands import DB, TESTS_ON_PATH, Run, rows
from tests.support.programs import released_program
from tests.support.warehouses import Delta, DuckDB, Postgres, Warehouse

ACCOUNT = account_id("one")
TEN = [str(number) for number in range(10)]
KILLED_SYNC = ("-m", "tests.support.killed_sync")
SIX, FOUR = TEN[:6], TEN[6:]


@pytest.fixture(
    params=["duckdb", *(pytest.param(name, marks=pytest.mark.scale) for name in ("postgres", "filesystem"))]
)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Each tested destination in turn, empty."""
    made: Warehouse
    match request.param:
        case "duckdb":
            made = DuckDB(tmp_path / "clients.duckdb")
        case "filesystem":
            made = Delta(tmp_path / "delta")
        case _:
            server: Postgres = request.getfixturevalue("server")
            made = server.emptied(f"brake {tmp_path.name}"[-60:])
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def synced(api: FakeApi, warehouse: Warehouse, tmp_path: Path) -> Callable[..., Summary]:
    """Syncs into the warehouse."""

    def synced(fraction: float = 0.5, **arguments: Any) -> Summary:
        db = warehouse.file if isinstance(warehouse, DuckDB) else None
        target = Target(destination=warehouse.destination, db=db, pipelines_dir=tmp_path / "dlt")
        settings = SyncSettings(
            api_token=FAKE_TOKEN, base_url=api.base_url, max_delete_fraction=fraction, limits=LIMITS
        )
        return sync(target, settings, **arguments)

    return synced


def add(api: FakeApi, *client_ids: str) -> None:
    for client_id in client_ids:
        api.organisation.add(ACCOUNT, client_id=client_id)


def remove(api: FakeApi, *client_ids: str) -> None:
    for client_id in client_ids:
        api.organisation.remove(ACCOUNT, client_id)


@pytest.mark.scale
def test_withheld_deletions_stay_withheld(
    api: FakeApi, warehouse: Warehouse, synced: Callable[..., Summary]
) -> None:
    """New clients, failures, unproven listings, a dry run and later deletions do not loosen the brake."""

    def clients() -> list[str]:
        return sorted(row["client_id"] for row in warehouse.rows("oauth_clients"))

    def withheld() -> dict[str, list[str]]:
        last = max(warehouse.rows("account_syncs"), key=lambda row: row["sync_number"])
        return json.loads(last["withheld_clients"] or "{}")

    add(api, *TEN)
    assert synced().exit_code == 0
    remove(api, *SIX)
    assert synced().accounts == {"delete_blocked": 1}
    add(api, "a", "b")
    for _ in range(2):
        assert (synced().exit_code, clients()) == (3, sorted([*TEN, "a", "b"]))
        assert withheld() == {"3/5": SIX}

    api.behaviour.break_(ACCOUNT, faults.forbidden())
    assert synced().accounts == {"forbidden": 1}
    api.behaviour.heal()
    api.behaviour.result_info_of[ACCOUNT] = ResultInfo.off_by(1)
    add(api, *"cdefgh")
    assert synced().accounts == {"incomplete": 1}
    api.behaviour.result_info_of.clear()
    assert synced(1, dry_run=True).clients["deleted"] == 6
    assert synced(0.59).accounts == {"delete_blocked": 1}

    # One more vanishes, one is back.
    remove(api, "a")
    add(api, "0")
    summary = synced()
    assert (summary.accounts, summary.clients["deleted"]) == ({"delete_blocked": 1}, 1)
    assert (clients(), withheld()) == (sorted([*TEN, *"bcdefgh"]), {"3/5": SIX[1:]})

    summary = synced(0.6)
    assert (summary.exit_code, summary.clients["deleted"]) == (0, 5)
    assert (clients(), withheld()) == (sorted([*FOUR, "0", *"bcdefgh"]), {})
    assert synced().clients["deleted"] == 0


@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
def test_clients_may_vanish_after_an_unproven_reading(
    api: FakeApi, warehouse: Warehouse, synced: Callable[..., Summary]
) -> None:
    """What it has added is counted, by whatever kind of number the destination counts with."""
    add(api, *TEN[:8])
    assert synced().exit_code == 0
    api.behaviour.result_info_of[ACCOUNT] = ResultInfo.off_by(1)
    add(api, "a", "b", "c")
    assert synced().accounts == {"incomplete": 1}
    api.behaviour.result_info_of.clear()
    remove(api, *TEN[:3])

    summary = synced()

    assert (summary.exit_code, summary.clients["deleted"]) == (0, 3)
    assert len(warehouse.rows("oauth_clients")) == 8


@pytest.mark.scale
# Delta tables are loaded in fewer jobs.
@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(("stage", "nth"), [("after-job", 4), ("after-job", 5), ("job", 6)])
def test_what_a_killed_sync_has_written_does_not_pull_the_brake(
    api: FakeApi,
    warehouse: Warehouse,
    synced: Callable[..., Summary],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    nth: int,
) -> None:
    """Nine clients are too few to be guarded, and stay too few when a killed sync has added three to them."""
    add(api, *TEN[:9])
    synced()
    remove(api, *TEN[:9])
    add(api, "a", "b", "c")
    variables = {"CLOUDFLARE_API_TOKEN": FAKE_TOKEN, "CLOUDFLARE_BASE_URL": api.base_url, **TESTS_ON_PATH}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "killed"))
    command = (*KILLED_SYNC, stage, str(nth), "sync", "--destination", warehouse.destination)
    killed = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    assert synced().accounts == {"complete": 1}
    assert sorted(row["client_id"] for row in warehouse.rows("oauth_clients")) == ["a", "b", "c"]
    assert Counter(row["change"] for row in warehouse.rows("oauth_client_changes")) == {
        "baseline": 9,
        "created": 3,
        "deleted": 9,
    }


@pytest.mark.scale
def test_clients_that_are_back_are_withheld_no_more(api: FakeApi, run: Run) -> None:
    """All are back: the account is complete, and a later deletion is measured anew."""
    add(api, *TEN)
    run("sync")
    remove(api, *SIX)
    assert run("sync").exit_code == 3
    add(api, *SIX)
    assert run("sync").exit_code == 0
    remove(api, *SIX[:5])
    assert run("sync").exit_code == 0
    assert sorted(rows("SELECT client_id FROM oauth_clients")) == [(one,) for one in TEN[5:]]


def test_two_groups_are_let_go_each_by_its_own_share(api: FakeApi, run: Run) -> None:
    """A raise that is enough for the first is not enough for the second."""
    add(api, *TEN)
    run("sync")
    remove(api, *SIX)
    run("sync")
    remove(api, *FOUR[:3])
    assert run("sync").exit_code == 3
    assert rows("SELECT max(withheld_clients) FILTER (sync_number = 3) FROM account_syncs") == [
        (json.dumps({"3/5": SIX, "3/4": FOUR[:3]}),)
    ]
    assert run("sync", "--max-delete-fraction", "0.7").exit_code == 3
    assert sorted(rows("SELECT client_id FROM oauth_clients")) == [(one,) for one in FOUR]
    assert run("sync").exit_code == 3
    assert run("sync", "--max-delete-fraction", "1").exit_code == 0
    assert run("sync").exit_code == 0
    assert rows("SELECT client_id FROM oauth_clients") == [(FOUR[3],)]
    assert rows("SELECT count(*) FROM oauth_client_changes WHERE change = 'deleted'") == [(9,)]


def test_a_rejected_client_does_not_hide_that_others_are_withheld(api: FakeApi, run: Run) -> None:
    """The account stays blocked, and its message says both."""
    add(api, *TEN)
    run("sync")
    remove(api, *SIX)
    run("sync")
    api.organisation.put(ACCOUNT, {"no": "id"})
    for _ in range(2):
        run("sync")
        query = "SELECT status, error_message FROM account_syncs ORDER BY sync_number DESC LIMIT 1"
        ((status, message),) = rows(query)
        assert status == "delete_blocked"
        assert "6 known clients are not listed" in message
        assert "1 rows could not be loaded" in message
    assert rows("SELECT count(*) FROM oauth_clients") == [(10,)]


def test_a_rejected_field_does_not_loosen_the_brake(api: FakeApi, run: Run) -> None:
    """The account was read all the same: what was withheld then stays so beside many new clients."""
    add(api, *TEN)
    api.organisation.change(ACCOUNT, FOUR[0], client_uri=7)
    assert run("sync").exit_code == 3
    remove(api, *SIX)
    for number in range(3):
        done = run("sync", "--format", "json")
        assert done.json["accounts"] == {"delete_blocked": 1}
        assert len(rows("SELECT client_id FROM oauth_clients")) == 10 + 20 * number
        add(api, *(f"more-{number}-{one}" for one in range(20)))
    done = run("sync", "--max-delete-fraction", "1", "--format", "json")
    assert done.json["clients"]["deleted"] == 6


@pytest.mark.variants(2)
@pytest.mark.parametrize(
    "lost",
    [
        "DELETE FROM account_syncs WHERE sync_number = 2",
        "UPDATE _dlt_loads SET status = 1 WHERE inserted_at = (SELECT max(inserted_at) FROM _dlt_loads)",
        "UPDATE account_syncs SET status = 'incomplete' WHERE sync_number = 2",
        "UPDATE account_syncs SET status = 'failed', withheld_clients = NULL WHERE sync_number = 2",
    ],
)
def test_a_sync_that_left_no_complete_row_does_not_loosen_the_brake(
    api: FakeApi, run: Run, lost: str
) -> None:
    """Killed, incomplete or failed: the clients that it had added do not count."""
    add(api, *TEN)
    run("sync")
    remove(api, *SIX)
    add(api, *"abcdefgh")
    assert run("sync").exit_code == 3
    with duckdb.connect(DB) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        connection.sql(lost)

    assert run("sync").exit_code == 3
    assert rows("SELECT count(*) FROM oauth_clients") == [(18,)]


@pytest.mark.scale
def test_what_an_older_release_withheld_stays_withheld(api: FakeApi, run: Run, tmp_path: Path) -> None:
    """Its rows do not say which clients: all that are missing are."""
    older, warehouse = released_program(tmp_path / "older"), DuckDB(tmp_path / DB)
    add(api, *TEN)
    older.sync(api, warehouse, tmp_path / "home")
    remove(api, *SIX)
    assert older.sync(api, warehouse, tmp_path / "home")["exit_code"] == 3
    add(api, *"abcdefgh")
    for _ in range(2):
        assert run("sync").exit_code == 3
        assert rows("SELECT count(*) FROM oauth_clients") == [(18,)]
    assert run("sync", "--max-delete-fraction", "0.6").exit_code == 0
    assert rows("SELECT count(*) FROM oauth_clients") == [(12,)]


@pytest.mark.variants(1)
@pytest.mark.parametrize("sync_id", [None, "nightly", "2026-06-03"])
def test_a_source_that_is_run_three_times_is_three_syncs(
    api: FakeApi, tmp_path: Path, sync_id: str | None
) -> None:
    """Each run of the same object has an id and a row of its own."""
    db = str(tmp_path / "clients.duckdb")
    pipeline = dlt.pipeline(
        "test",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=dlt.destinations.duckdb(db),
        dataset_name="cloudflare",
    )
    source = cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url, limits=LIMITS, sync_id=sync_id)
    add(api, *TEN)
    pipeline.run(source)
    remove(api, *SIX)
    add(api, "a", "b")
    for _ in range(2):
        pipeline.run(source)

    query = "SELECT sync_id, sync_number, status FROM account_syncs ORDER BY sync_number"
    ids, numbers, statuses = zip(*rows(query, db=db), strict=True)
    assert len(set(ids)) == 3
    assert (numbers, statuses) == ((1, 2, 3), ("complete", "delete_blocked", "delete_blocked"))
    if sync_id:
        assert ids == (sync_id, f"{sync_id}-2", f"{sync_id}-3")
    assert rows("SELECT count(*) FROM oauth_clients", db=db) == [(12,)]
