"""Nothing is written into a table, view, staging table or folder that this project did not make."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any, cast

import dlt
import duckdb
import psycopg2
import pytest
from dlt.common.schema import Schema
from dlt.pipeline.exceptions import PipelineStepFailed

from cloudflare_oauth import ConfigurationError, SyncSettings, cloudflare_oauth, declared_schema
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.warehouses import DuckDB, Postgres

ONE = account_id("one")
DATABASES = count()

Query = Callable[..., list[tuple[Any, ...]]]


class Place:
    """An empty destination, and how to query and to sync into it."""

    def __init__(self, warehouse: DuckDB | Postgres, api: FakeApi, folder: Path) -> None:
        self.warehouse = warehouse
        self.api = api
        self.folder = folder
        self.is_postgres = isinstance(warehouse, Postgres)

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        if isinstance(self.warehouse, DuckDB):
            with duckdb.connect(str(self.warehouse.file)) as connection:
                for statement in statements:
                    rows = connection.execute(statement).fetchall()
            return rows
        with closing(psycopg2.connect(self.warehouse.uri)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return rows

    def names(self) -> list[tuple[Any, ...]]:
        """Everything that there is, by schema."""
        return self.query(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        )

    def sync(self, *, dry_run: bool = False, dataset: str = "cloudflare") -> int:
        db = self.warehouse.file if isinstance(self.warehouse, DuckDB) else None
        target = Target(
            destination=self.warehouse.destination, db=db, pipelines_dir=self.folder / "dlt", dataset=dataset
        )
        settings = SyncSettings(api_token=FAKE_TOKEN, base_url=self.api.base_url)
        return sync(target, settings, dry_run=dry_run).exit_code

    def bare(self) -> dlt.Pipeline:
        where = self.warehouse.file if isinstance(self.warehouse, DuckDB) else self.warehouse.uri
        factory: Any = getattr(dlt.destinations, self.warehouse.destination)
        return dlt.pipeline(
            "bare",
            destination=factory(str(where)),
            dataset_name="cloudflare",
            pipelines_dir=str(self.folder / "bare"),
        )

    def run_bare(self) -> None:
        self.bare().run(cloudflare_oauth(api_token=FAKE_TOKEN, base_url=self.api.base_url))


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.scale)])
def place(
    request: pytest.FixtureRequest, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    api.organisation.add(ONE, client_id="one", redirect_uris=["http://a.example/"])
    if request.param == "duckdb":
        yield Place(DuckDB(tmp_path / "clients.duckdb"), api, tmp_path)
        return
    server: Postgres = request.getfixturevalue("server")
    database = server.emptied(f"ownership-{next(DATABASES)}")
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    yield Place(database, api, tmp_path)


# What a user may have made; the last column says of what kind it is.
MINE = {
    "a table": ("CREATE TABLE {0} AS SELECT 42 AS mine", "table"),
    "a table with our columns": (
        "CREATE TABLE {0} AS SELECT 42 AS mine, 'x' AS _dlt_id, 'x' AS account_id, 'x' AS content_hash",
        "table",
    ),
    "a view": ("CREATE VIEW {0} AS SELECT 42 AS mine", "view"),
}
RELATIONS = [
    ("cloudflare", "accounts"),
    ("cloudflare", "oauth_clients__redirect_uris"),
    ("cloudflare_staging", "accounts"),
    ("cloudflare_staging", "account_syncs"),
]


@pytest.mark.parametrize("made", MINE)
@pytest.mark.parametrize(("dataset", "name"), RELATIONS)
def test_a_relation_of_the_users_is_refused_before_anything_is_written(
    place: Place, made: str, dataset: str, name: str
) -> None:
    """By a sync, a dry run and the bare source; the message names it, and it stays the only one."""
    statement, kind = MINE[made]
    place.query(f"CREATE SCHEMA {dataset}", statement.format(f"{dataset}.{name}"))
    there = place.names()
    told = rf"did not make the {kind} {dataset}\.{name}, .* rename it, or choose another dataset"

    for dry_run in (False, True):
        with pytest.raises(ConfigurationError, match=told):
            place.sync(dry_run=dry_run)
    with pytest.raises(PipelineStepFailed, match=told):
        place.run_bare()

    assert place.names() == there
    assert place.query(f"SELECT mine FROM {dataset}.{name}") == [(42,)]


def test_capitals_do_not_hide_a_table_of_duckdb(api: FakeApi, tmp_path: Path) -> None:
    """DuckDB takes `Accounts` and `accounts` for one name, in the dataset's name, too."""
    for number, name in enumerate(
        ("cloudflare.Accounts", "CloudFlare.accounts", "CLOUDFLARE_STAGING.ACCOUNTS")
    ):
        place = Place(DuckDB(tmp_path / f"clients-{number}.duckdb"), api, tmp_path)
        place.query(f"CREATE SCHEMA {name.partition('.')[0]}", f"CREATE TABLE {name} AS SELECT 42 AS mine")

        with pytest.raises(ConfigurationError, match="did not make the table"):
            place.sync()

        assert place.query(f"SELECT * FROM {name}") == [(42,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE MATERIALIZED VIEW cloudflare.accounts AS SELECT 42 AS mine",
        "CREATE SEQUENCE cloudflare.accounts",
        "CREATE TABLE cloudflare.accounts (mine INTEGER) PARTITION BY RANGE (mine)",
    ],
)
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_other_relations_of_postgresql_are_refused_too(place: Place, statement: str) -> None:
    """What PostgreSQL's information schema does not list, or lists as a table."""
    place.query("CREATE SCHEMA cloudflare", statement)
    there = place.names()

    with pytest.raises(ConfigurationError, match=r"did not make the .*cloudflare\.accounts"):
        place.sync()

    assert place.names() == there


def test_the_tables_of_another_pipeline_are_refused(place: Place, tmp_path: Path) -> None:
    """They have dlt's columns and a stored schema, but of another name."""
    where = place.warehouse.file if isinstance(place.warehouse, DuckDB) else place.warehouse.uri
    factory: Any = getattr(dlt.destinations, place.warehouse.destination)
    shop = dlt.pipeline(
        "shop",
        destination=factory(str(where)),
        dataset_name="cloudflare",
        pipelines_dir=str(tmp_path / "shop"),
    )
    shop.run([{"id": 1}], table_name="accounts")
    there = place.names()

    with pytest.raises(ConfigurationError, match=r"did not make the table cloudflare\.accounts"):
        place.sync()

    assert place.names() == there
    assert place.sync(dataset="another") == 0


def store_older_schema(place: Place) -> None:
    """Store a schema as an older release would, which has not had all of the tables yet."""
    declared: Any = deepcopy(declared_schema().to_dict())
    del declared["tables"]["rejected_rows"]
    older = Schema.from_dict(cast(Any, Schema.from_dict(declared).to_dict()))
    with place.bare().dataset(schema=older).destination_client as client:
        client.update_stored_schema()


def test_what_lies_beside_our_tables_is_left_alone(place: Place) -> None:
    """Our tables are known, whichever way they were made, and a user's of other names are no obstacle."""
    place.query("CREATE SCHEMA cloudflare", "CREATE TABLE cloudflare.mine AS SELECT 42 AS mine")

    place.run_bare()
    assert place.sync() == 0
    place.run_bare()
    place.api.organisation.change(ONE, "one", redirect_uris=["http://b.example/"])
    assert place.sync() == 0
    store_older_schema(place)
    assert place.sync() == 0
    assert place.query("SELECT * FROM cloudflare.mine") == [(42,)]


@pytest.mark.variants(1)
@pytest.mark.parametrize("name", ["accounts", "oauth_clients__scopes", "account_syncs"])
def test_a_folder_of_the_users_is_refused(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It has files, and no schema of ours has such a table."""
    api.organisation.add(ONE, client_id="one")
    bucket = tmp_path / "a folder"
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(bucket))
    target = Target(destination="filesystem", pipelines_dir=tmp_path / "dlt")
    settings = SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url)
    folder = bucket / "cloudflare" / name
    folder.mkdir(parents=True)
    (folder / "mine.csv").write_text("42")

    with pytest.raises(ConfigurationError, match=f"did not make the folder .*{name}"):
        sync(target, settings)

    assert [path for path in bucket.rglob("*") if path.is_file()] == [folder / "mine.csv"]
    # dlt takes no folder for a dataset that it did not make.
    shutil.rmtree(bucket / "cloudflare")
    assert [sync(target, settings).exit_code for _ in range(2)] == [0, 0]
