"""dlt's settings hold while `sync()` runs, for a Python caller as for the command line, and no longer."""

import os
import subprocess
import sys
from pathlib import Path

import dlt
import pytest

from cloudflare_oauth_pipeline.destinations.dlt_settings import quiet_dlt
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id

SETTINGS = ("runtime.dlthub_telemetry", "runtime.log_level", "load.truncate_staging_dataset")
PROGRAM = """
import dlt
from cloudflare_oauth_pipeline import SyncSettings, Target, sync
from pathlib import Path

def runtime():
    config = dlt.current.run_context().runtime_config
    return config.dlthub_telemetry, config.log_level

before = runtime()
during = set()
summary = sync(
    Target(db=Path("clients.duckdb")),
    SyncSettings(api_token="{token}", base_url="{base_url}"),
    observer=lambda event: during.add(runtime()),
)
assert summary.status == "complete", summary
assert during == {{(False, "CRITICAL")}}, during
assert runtime() == before, (before, runtime())
import duckdb
with duckdb.connect("clients.duckdb") as connection:
    staged = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cloudflare_staging'"
    tables = [name for name, in connection.execute(staged).fetchall() if not name.startswith("_dlt")]
    assert "oauth_clients" in tables
    for name in tables:
        count = connection.execute(f"SELECT count(*) FROM cloudflare_staging.{{name}}").fetchone()
        assert count == (0,), (name, count)
print("done")
"""


def test_a_python_caller_gets_what_the_command_line_gets(api: FakeApi, tmp_path: Path) -> None:
    """No telemetry, a quiet log, and empty staging tables; afterwards dlt is as the caller had it."""
    api.organisation.add(account_id("one"), client_id="1", scopes=["zone.read"], new_field=["a"])
    environment = {name: value for name, value in os.environ.items() if "__" not in name}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(token=FAKE_TOKEN, base_url=api.base_url)],
        cwd=tmp_path,
        env=environment | {"DLT_DATA_DIR": str(tmp_path / "dlt"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "done\n", done.stderr


def test_the_users_own_configuration_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who sets `RUNTIME__LOG_LEVEL` sees dlt's log."""
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "WARNING")

    with quiet_dlt():
        assert dlt.current.run_context().runtime_config.log_level == "WARNING"
        assert dlt.config.get("runtime.log_level") == "WARNING"


def test_the_settings_end_with_their_context_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested contexts apply them once; none leaves a provider behind."""
    for name in ("RUNTIME__LOG_LEVEL", "RUNTIME__DLTHUB_TELEMETRY", "LOAD__TRUNCATE_STAGING_DATASET"):
        monkeypatch.delenv(name, raising=False)
    before = [dlt.config.get(name) for name in SETTINGS]

    with pytest.raises(ValueError, match="broken"), quiet_dlt(), quiet_dlt():
        assert [dlt.config.get(name) for name in SETTINGS] == [False, "CRITICAL", True]
        raise ValueError("broken")

    assert [dlt.config.get(name) for name in SETTINGS] == before
