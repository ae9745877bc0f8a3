"""PostgreSQL: characters it cannot store, and concurrent syncs into one dataset."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Done, Run
from tests.support.warehouses import DuckDB, Postgres

ONE = account_id("one")
SHARDS = 4
ACCOUNTS = [account_id(number) for number in range(2 * SHARDS)]


@pytest.fixture
def postgres(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """An empty database that dlt is configured to use."""
    database = server.emptied(tmp_path.name)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return database


@pytest.fixture
def synced(run: Run, postgres: Postgres) -> Any:
    """Syncs into the database with the command line."""

    def synced(*arguments: str) -> Done:
        return run("sync", "--destination", "postgres", "--format", "json", *arguments)

    return synced


def test_a_character_that_cannot_be_stored_is_replaced(api: FakeApi, synced: Any, postgres: Postgres) -> None:
    """NUL in a value or a name becomes U+FFFD; no sync fails and no client is rejected because of it."""
    nul = {"client_name": "a\0b", "redirect_uris": ["https://a\0"], "new_field": {"deep\0": ["\0", 1]}}
    api.organisation.add(ONE, client_id="with", **nul)
    api.organisation.add(ONE, client_id="without", client_name="\\u0000 \\0")

    done = synced()

    assert (done.exit_code, done.json["clients"]["rejected"]) == (0, 0)
    clients = {row["client_id"]: row["client_name"] for row in postgres.rows("oauth_clients")}
    assert clients == {"with": "a\ufffdb", "without": "\\u0000 \\0"}
    (uri,) = postgres.rows("oauth_clients__redirect_uris")
    assert (uri["client_id"], uri["value"]) == ("with", "https://a\ufffd")
    documents = [row["document_after"] for row in postgres.rows("oauth_client_changes")]
    assert {"deep\ufffd": ["\ufffd", 1]} in [document.get("new_field") for document in documents]


@pytest.mark.scale
def test_a_replaced_character_is_not_a_change(api: FakeApi, synced: Any, postgres: Postgres) -> None:
    """The next sync writes nothing for it; a later change of another field is logged alone."""
    api.organisation.add(ONE, client_id="one", client_name="a\0b", scopes=["\0"])
    synced()

    again = synced()
    api.organisation.change(ONE, "one", visibility="public")
    changed = synced()

    assert (again.json["clients"]["unchanged"], changed.json["clients"]["updated"]) == (1, 1)
    assert [row["changed_fields"] for row in postgres.rows("oauth_client_changes")] == [None, ["visibility"]]


def sync_shards(folder: Path) -> None:
    """Sync in concurrent processes, each with its own accounts, pipeline name and home."""

    def sync_shard(shard: int) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *(sys.executable, "-m", "cloudflare_oauth_pipeline", "sync", "--destination", "postgres"),
                *("--pipeline-name", f"shard-{shard}"),
                *(f"--account={account}" for account in ACCOUNTS[shard::SHARDS]),
            ],
            env=os.environ | {"DLT_DATA_DIR": str(folder / f"home-{shard}")},
            capture_output=True,
            text=True,
            check=False,
        )

    with ThreadPoolExecutor(SHARDS) as threads:
        for done in threads.map(sync_shard, range(SHARDS)):
            assert done.returncode == 0, done.stderr


@pytest.mark.scale
def test_concurrent_shards_lose_and_duplicate_nothing(
    api: FakeApi, run: Run, postgres: Postgres, tmp_path: Path
) -> None:
    """Four processes load into one dataset: first new clients and new tables, then every kind of change."""
    reference = DuckDB(tmp_path / "reference.duckdb")

    def both() -> None:
        sync_shards(tmp_path)
        target = Target(db=reference.file, pipelines_dir=tmp_path / "reference")
        sync(target, SyncSettings(account_ids=ACCOUNTS, api_token=FAKE_TOKEN, base_url=api.base_url))
        assert postgres.content() == reference.content()

    for account in ACCOUNTS:
        for number in range(25):
            api.organisation.add(
                account, client_id=str(number), scopes=["a", "b"], redirect_uris=["https://a"]
            )
    both()
    for account in ACCOUNTS:
        for number in range(10):
            api.organisation.change(account, str(number), scopes=["c"], unknown_yet=[account[:4]])
        api.organisation.remove(account, "24")
        api.organisation.add(account, client_id="new")
    both()


@pytest.mark.scale
def test_every_pipeline_has_its_own_staging_dataset(
    api: FakeApi, run: Run, postgres: Postgres, tmp_path: Path
) -> None:
    """By default, pipelines of one dataset share it, and dlt mixes up their rows (dlt issue 4297)."""
    for account in ACCOUNTS:
        api.organisation.add(account, client_id="one", unknown_yet=["left to dlt"])

    sync_shards(tmp_path)
    # What is new is not staged.
    api.organisation.change(ACCOUNTS[0], "one", client_name="changed")
    run("sync", "--destination", "postgres")

    names = postgres.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cloudflare\\_staging%%'")
    assert len(names) == SHARDS + 1
    assert {"nspname": "cloudflare_staging"} in names
