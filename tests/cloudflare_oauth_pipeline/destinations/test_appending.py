"""What is new to a dataset is appended in one transaction; everything else goes through dlt."""

import gc
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from cloudflare_oauth import SyncSettings, events
from cloudflare_oauth_pipeline.destinations.appending import NewRows
from cloudflare_oauth_pipeline.destinations.arrow_tables import ArrowTables
from cloudflare_oauth_pipeline.destinations.batch import Piece
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.cloudflare_oauth_pipeline.destinations.test_arrow_loader import fill
from tests.support.client_settings import LIMITS
from tests.support.warehouses import DuckDB, Postgres, Rows, Warehouse

ONE, OTHER = account_id("one"), account_id("other")


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "postgres":
        found: Warehouse = request.getfixturevalue("postgres")
        return found
    return DuckDB(tmp_path / "clients.duckdb")


def sync_into(warehouse: Warehouse, api: FakeApi, tmp_path: Path, **arguments: Any) -> Summary:
    db = warehouse.file if isinstance(warehouse, DuckDB) else None
    target = Target(
        destination=warehouse.destination, db=db, pipelines_dir=tmp_path / "dlt", pipeline_name="appending"
    )
    return sync(target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url, limits=LIMITS), **arguments)


@pytest.fixture
def postgres(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """An empty database that dlt is configured to use."""
    database = server.emptied(tmp_path.name)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return database


def schemas(warehouse: Warehouse) -> list[str]:
    query = "SELECT schema_name AS name FROM information_schema.schemata"
    rows = warehouse.query(query) if isinstance(warehouse, Postgres) else warehouse._query(query)
    return [row["name"] for row in rows]


def test_a_first_sync_and_one_of_nothing_new_stage_nothing(
    warehouse: Warehouse, api: FakeApi, tmp_path: Path
) -> None:
    """Each is one row in dlt's table of loads, and the staging dataset is not even created.

    Fields that are null make no difference, though they are not declared.
    """
    for account in (ONE, OTHER):
        api.organisation.add_account(account)
        settings = {"enforce_twofactor": True, "other": None}
        api.organisation.change_account(account, settings=settings, legacy_flags=None)
    for number in range(3):
        api.organisation.add(ONE, client_id=f"client-{number}", scopes=["zone.read"])
        api.organisation.add(OTHER, client_id=f"client-{number}", redirect_uris=["https://a"])

    for loads in (1, 2):
        assert sync_into(warehouse, api, tmp_path).status == "complete"
        assert len(warehouse.rows("_dlt_loads")) == loads
        load_ids = {row["load_id"] for row in warehouse.rows("_dlt_loads")}
        assert {row["_dlt_load_id"] for row in warehouse.rows("account_syncs")} == load_ids

    assert len(warehouse.rows("oauth_clients")) == 6
    assert not [name for name in schemas(warehouse) if "staging" in name]


@pytest.mark.parametrize("undeclared", [{}, {"undeclared": ["a"]}])
def test_the_rows_of_a_batch_are_released_with_it(
    warehouse: Warehouse, api: FakeApi, tmp_path: Path, undeclared: dict[str, Any]
) -> None:
    """Whether they are appended or loaded by dlt: else memory would grow with the number of clients.

    Python's own collector is off here; in a sync it runs too seldom.
    """
    for number in range(5):
        account = account_id(f"account {number}")
        api.organisation.add_account(account)
        api.organisation.change_account(account, settings={"enforce_twofactor": True}, legacy_flags=None)
        api.organisation.add(account, client_id="client", scopes=["zone.read"], **undeclared)
    alive: list[int] = []

    def count(event: events.Event) -> None:
        if isinstance(event, events.AccountDone):
            kinds = (NewRows, ArrowTables, Piece)
            alive.append(sum(isinstance(one, kinds) for one in gc.get_objects()))

    gc.collect()
    gc.disable()
    try:
        assert sync_into(warehouse, api, tmp_path, batch_rows=1, observer=count).status == "complete"
    finally:
        gc.enable()

    assert len(alive) == 5
    assert max(alive[2:]) <= max(alive[:2])
    assert len(warehouse.rows("_dlt_loads")) >= 5


def test_destinations_get_the_same_rows(api: FakeApi, tmp_path: Path, postgres: Postgres, run: Any) -> None:
    """This holds for every kind of value: an empty text, NUL and nulls in arrays among them."""
    fill(api.organisation)
    duckdb = DuckDB(tmp_path / "reference.duckdb")
    sync_into(duckdb, api, tmp_path)

    assert run("sync", "--destination", "postgres").exit_code == 0

    expected = duckdb.content()
    found = postgres.content()
    assert found.keys() == expected.keys()
    for table in expected:
        # PostgreSQL has no NUL.
        assert _texts(found[table]) == [
            text.replace(r"\u0000", r"\ufffd") for text in _texts(expected[table])
        ], table


def _texts(rows: Rows) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


def test_what_a_killed_sync_has_left_meanwhile_is_replaced(
    api: FakeApi, tmp_path: Path, postgres: Postgres
) -> None:
    """A client may appear after the dataset was read, without a row of `account_syncs` that tells of it."""
    api.organisation.add(ONE, client_id="other")
    sync_into(postgres, api, tmp_path)
    api.organisation.add(OTHER, client_id="client", scopes=["zone.read"])

    def leave(event: events.Event) -> None:
        if isinstance(event, events.AccountDone) and event.account_id == OTHER:
            with (
                closing(psycopg2.connect(postgres.uri)) as connection,
                connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(
                    "INSERT INTO cloudflare.oauth_clients "
                    "(account_id, client_id, client_name, _dlt_id, _dlt_load_id) "
                    "VALUES (%s, 'client', 'left', 'left', '1')",
                    (OTHER,),
                )

    sync_into(postgres, api, tmp_path, observer=leave)

    (row,) = [row for row in postgres.rows("oauth_clients") if row["account_id"] == OTHER]
    assert row["client_name"] != "left"
    assert len(postgres.rows("oauth_client_changes")) == 2
