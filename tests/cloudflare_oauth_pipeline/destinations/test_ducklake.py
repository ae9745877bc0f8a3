"""DuckLake: a catalogue that can be shared, extensions that are never downloaded, four writers at once."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Run
from tests.support.programs import this_program
from tests.support.warehouses import LAKES, DuckDB, DuckLake, Postgres

ACCOUNTS = [account_id(number) for number in range(6)]


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> DuckLake:
    """An empty lake with a catalogue of that kind."""
    if request.param == "ducklake":
        return DuckLake(tmp_path / "lake")
    server: Postgres = request.getfixturevalue("server")
    return DuckLake(tmp_path / "lake", server.emptied(tmp_path.name))


def test_a_catalogue_in_a_duckdb_file_is_refused(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one process at a time could open it; nothing is requested."""
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG", f"duckdb:///{tmp_path / 'c.duckdb'}")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL", str(tmp_path / "files"))

    done = run("sync", "--destination", "ducklake")

    assert done.exit_code == 2
    assert "its catalogue is in duckdb, which one process at a time can open" in done.stderr
    assert "Traceback" not in done.stderr
    assert not api.requests


def test_a_missing_extension_is_told_and_not_downloaded(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the extra that brings it; nothing is requested."""
    find_spec = importlib.util.find_spec

    def without_extensions(name: str, package: str | None = None) -> Any:
        return None if name.startswith("duckdb_extension") else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_extensions)
    for name, value in DuckLake(tmp_path / "lake").environment.items():
        monkeypatch.setenv(name, value)

    done = run("sync", "--destination", "ducklake")

    assert done.exit_code == 2
    assert "pip install 'cloudflare-oauth-clients[ducklake]'" in done.stderr
    assert not api.requests


@pytest.mark.scale
def test_the_lake_answers_every_question(
    api: FakeApi, run: Run, lake: DuckLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`findings`, `changes` and `explore --export` read it; the views are stored in it, with comments."""
    for name, value in lake.environment.items():
        monkeypatch.setenv(name, value)
    api.organisation.add(ACCOUNTS[0], client_id="1", redirect_uris=["http://a.example/"])
    to_lake = ("--destination", "ducklake")
    assert run("sync", *to_lake).exit_code == 0

    findings = run("findings", "--format", "json", *to_lake)
    changes = run("changes", "--format", "json", *to_lake)
    export = run("explore", "--export", "pages", *to_lake)

    assert "RU-01" in {row["rule_id"] for row in findings.json}
    assert [row["change"] for row in changes.json] == ["baseline"]
    assert export.exit_code == 0, export.stderr
    (view,) = lake._query(
        "SELECT comment FROM duckdb_views() WHERE view_name = 'oauth_client_overview' "
        "AND database_name = 'lake'"
    )
    assert view["comment"].startswith("Each row is")


@pytest.mark.scale
def test_four_writers_at_once_lose_and_duplicate_nothing(
    api: FakeApi, lake: DuckLake, tmp_path: Path
) -> None:
    """Their accounts overlap; the first of them also create the lake at the same time."""
    reference = DuckDB(tmp_path / "reference.duckdb")

    def sync_some(number: int) -> Any:
        some = [ACCOUNTS[(number + offset) % len(ACCOUNTS)] for offset in range(3)]
        named = [part for account in some for part in ("--account", account)]
        home = tmp_path / f"home-{number}"
        arguments = ("sync", "--destination", "ducklake", "--pipeline-name", f"shard_{number}", *named)
        return this_program().run(*arguments, api=api, warehouse=lake, home=home)

    def all_do() -> None:
        with ThreadPoolExecutor(4) as threads:
            for done in threads.map(sync_some, range(4)):
                assert done.returncode in (0, 3), done.stderr
        for number in (0, 3):
            # An account that others kept overtaking is read again.
            assert sync_some(number).returncode == 0
        settings = SyncSettings(account_ids=tuple(ACCOUNTS), api_token=FAKE_TOKEN, base_url=api.base_url)
        sync(Target(db=reference.file, pipelines_dir=tmp_path / "reference"), settings)
        found, expected = lake.content(), reference.content()
        assert {name: rows for name, rows in found.items() if name != "account_syncs"} == {
            name: rows for name, rows in expected.items() if name != "account_syncs"
        }

    for account in ACCOUNTS:
        for number in range(5):
            api.organisation.add(account, client_id=str(number), scopes=["a", "b"])
    all_do()
    for account in ACCOUNTS:
        api.organisation.change(account, "0", scopes=["c"])
        api.organisation.remove(account, "4")
    all_do()
