"""Delta Lake: what dlt's own merge lacks, missing files, and concurrent loads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dlt
import pytest
from dlt.common.schema.exceptions import SchemaCorruptedException
from dlt.pipeline.exceptions import PipelineStepFailed

from cloudflare_oauth import SyncSettings, inventory_source
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import Run
from tests.support.warehouses import DATASET, Delta, DuckDB

ONE = account_id("one")
ACCOUNTS = [account_id(number) for number in range(3)]


@pytest.fixture
def delta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Delta:
    """An empty folder that dlt is configured to write to."""
    folder = Delta(tmp_path / "lake")
    for name, value in folder.environment.items():
        monkeypatch.setenv(name, value)
    return folder


def test_dlt_alone_cannot_delete_from_delta_tables(delta: Delta, tmp_path: Path) -> None:
    """dlt refuses the `hard_delete` hint, which is why `destinations.delta_lake` exists."""
    rows = [{"account_id": ONE, "client_id": "one", "scopes": ["a"]}]
    pipeline = dlt.pipeline(
        "bare", destination="filesystem", dataset_name=DATASET, pipelines_dir=str(tmp_path / "dlt")
    )

    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(inventory_source(iter([{"oauth_clients": rows}])), table_format="delta")

    assert isinstance(failed.value.__cause__, SchemaCorruptedException)
    assert "does not support the `hard_delete` hint" in str(failed.value)


def test_a_missing_file_fails_the_sync(api: FakeApi, run: Run, delta: Delta) -> None:
    """The table does not count as empty: no client is logged as new, and no request is sent."""
    api.organisation.add(ONE, client_id="one", scopes=["a"])
    run("sync", "--destination", "filesystem")
    (file,) = (delta.folder / DATASET / "oauth_clients").glob("*.parquet")
    file.unlink()
    log = delta.rows("oauth_client_changes")
    api.requests.clear()

    done = run("sync", "--destination", "filesystem")

    assert (done.exit_code, "Traceback" in done.stderr) == (1, False)
    assert file.name in done.stderr
    assert delta.rows("oauth_client_changes") == log
    assert not api.requests


def test_every_table_exists_after_the_first_sync(api: FakeApi, run: Run, delta: Delta) -> None:
    """Tables without rows exist, too."""
    api.organisation.add_account(ONE)

    run("sync", "--destination", "filesystem")

    assert delta.rows("oauth_clients") == delta.rows("oauth_clients__scopes") == []
    assert {"oauth_client_changes", "rejected_rows", "oauth_clients__grant_types"} <= set(delta.tables())


@pytest.mark.scale
def test_concurrent_shards_lose_and_duplicate_nothing(
    api: FakeApi, run: Run, delta: Delta, tmp_path: Path
) -> None:
    """Processes that load into one folder wait for each other's loads."""
    reference = DuckDB(tmp_path / "reference.duckdb")
    for account in ACCOUNTS:
        for number in range(10):
            api.organisation.add(
                account, client_id=str(number), scopes=["a", "b"], redirect_uris=["https://a"]
            )

    def sync_shard(shard: int) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *(sys.executable, "-m", "cloudflare_oauth_pipeline", "sync", "--destination", "filesystem"),
                *("--pipeline-name", f"shard-{shard}", "--account", ACCOUNTS[shard]),
            ],
            env=os.environ | {"DLT_DATA_DIR": str(tmp_path / f"home-{shard}")},
            capture_output=True,
            text=True,
            check=False,
        )

    with ThreadPoolExecutor() as threads:
        for done in threads.map(sync_shard, range(len(ACCOUNTS))):
            assert done.returncode == 0, done.stderr

    target = Target(db=reference.file, pipelines_dir=tmp_path / "reference")
    sync(target, SyncSettings(account_ids=ACCOUNTS, api_token=FAKE_TOKEN, base_url=api.base_url))
    assert delta.content() == reference.content()
