"""Fixtures that run the notebooks in this process, and the datasets they show."""

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudflare_oauth import SyncSettings, events
from cloudflare_oauth_pipeline.app.settings import PAGES, VARIABLES, environment_of
from cloudflare_oauth_pipeline.demo.story import run_demo
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation
from cloudflare_oauth_pipeline.run.sync import sync

NAMES = tuple(PAGES)
# The last heading or label of each page.
LAST = {
    "inventory": "Client details",
    "security_review": "Gaps in rule coverage",
    "changes": "All changes, latest first",
    "health": "All accounts",
}
# In this time of the demo, one account becomes forbidden and another loses its clients.
DAYS = 7


@dataclass(frozen=True)
class Page:
    """The output of a notebook as HTML, and the names that its cells define."""

    live: str
    static: str
    defined: Mapping[str, Any]


Show = Callable[..., Page]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Show:
    """Runs a notebook on a target; `defs` replace the values of its controls."""
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)

    from cloudflare_oauth_pipeline.app.components import Fragment
    from cloudflare_oauth_pipeline.app.export import load_notebook

    def show(name: str, target: Target, waivers: Path | None = None, **defs: Any) -> Page:
        for variable, value in environment_of(target, waivers).items():
            monkeypatch.setenv(variable, value)
        outputs, defined = load_notebook(name).run(defs=defs)
        fragments = [output for output in outputs if isinstance(output, Fragment)]
        return Page(
            "".join(getattr(output, "text", "") for output in outputs),
            "".join(fragment.static for fragment in fragments),
            defined,
        )

    return show


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """The dataset of the demo after `DAYS` days."""
    folder = tmp_path_factory.mktemp("demo")
    target = Target(db=folder / "demo.duckdb", pipelines_dir=folder / "dlt")
    run_demo(target, days=DAYS, observer=events.ignore)
    return target


@pytest.fixture(scope="session")
def large(demo: Target, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """The demo's dataset, with clients, arrays and history multiplied to 20,000 clients."""
    assert demo.db is not None
    db = tmp_path_factory.mktemp("large") / "clients.duckdb"
    shutil.copy(demo.db, db)
    with duckdb.connect(str(db)) as connection:
        connection.execute("USE cloudflare")
        ((clients,),) = connection.execute("SELECT COUNT(*) FROM oauth_clients").fetchall()
        tables = connection.execute(
            "SELECT table_name, list(column_name) FROM duckdb_columns() JOIN duckdb_tables() "
            "USING (schema_name, table_name) WHERE schema_name = 'cloudflare' GROUP BY ALL"
        ).fetchall()
        for table, columns in tables:
            if "client_id" in columns:
                ids = {"client_id", "change_id", "_dlt_id", "_dlt_root_id", "_dlt_parent_id"} & set(columns)
                numbered = ", ".join(f"{id} || '-' || number AS {id}" for id in sorted(ids))
                connection.execute(
                    f"INSERT INTO {table} SELECT one.* REPLACE ({numbered}) "
                    f"FROM {table} AS one, range(1, {math.ceil(20_000 / clients)}) AS numbers(number)"
                )
    return replace(demo, db=db)


@pytest.fixture
def organisation() -> Organisation:
    """The organisation that `synced` reads; initially empty."""
    return Organisation()


@pytest.fixture
def synced(organisation: Organisation, tmp_path: Path) -> Iterator[Callable[[], Target]]:
    """Syncs the current organisation into a dataset of the test's own."""
    target = Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path / "dlt")
    with FakeApi(organisation) as api:

        def synced() -> Target:
            sync(target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url))
            return target

        yield synced


def rows(target: Target, query: str) -> list[tuple[Any, ...]]:
    """Query the DuckDB file directly; the schema is `cloudflare`."""
    with duckdb.connect(str(target.db), read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'; SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()
