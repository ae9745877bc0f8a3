"""dlt's pipeline is this program's own: its folder, its settings, and what it leaves behind."""

import inspect
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.configuration.specs import BaseConfiguration

from cloudflare_oauth_pipeline.destinations.pipeline import OWN_FOLDER, own_folder
from cloudflare_oauth_pipeline.fake_api import FAKE_EMAIL, FAKE_KEY, FAKE_TOKEN, FakeApi
from tests.support.commands import Run
from tests.support.served import PROGRAM
from tests.support.warehouses import DuckDB, Postgres, Warehouse

ACCOUNT = "a" * 32


def bare_names() -> set[str]:
    """Every name that dlt may look up: fields of its configurations, and arguments of its functions."""

    def specs(spec: type[BaseConfiguration]) -> Iterator[type[BaseConfiguration]]:
        for one in spec.__subclasses__():
            yield one
            yield from specs(one)

    names = {field.name for spec in specs(BaseConfiguration) if is_dataclass(spec) for field in fields(spec)}
    for function in (
        dlt.pipeline,
        dlt.Pipeline.run,
        dlt.Pipeline.extract,
        dlt.Pipeline.normalize,
        dlt.Pipeline.load,
    ):
        names |= inspect.signature(function).parameters.keys()
    # These are the system's and Python's.
    return {name.upper() for name in names if not name.startswith("_")} - {"PATH", "HOME", "USER", "TMPDIR"}


def test_the_first_syncs_of_a_machine_may_start_at_once(tmp_path: Path) -> None:
    """Each finds the folder missing, made, or made and marked, and takes it for its own."""
    for number in range(300):
        with ThreadPoolExecutor(8) as threads:
            made = set(threads.map(own_folder, [tmp_path / f"{number}"] * 8))
        assert made == {tmp_path / f"{number}" / OWN_FOLDER}


def test_the_list_of_bare_names_has_those_that_have_done_harm() -> None:
    """Otherwise the next test would prove nothing."""
    assert bare_names() >= {
        *("DEV_MODE", "PROGRESS", "REFRESH", "DATASET_NAME", "STAGING_TYPE", "DESTINATION_NAME", "WORKERS"),
        *("PIPELINES_DIR", "IMPORT_SCHEMA_PATH", "RESTORE_FROM_DESTINATION", "USE_SINGLE_DATASET"),
        *("DATASET_NAME_LAYOUT", "LOADER_FILE_FORMAT", "RAISE_ON_MAX_RETRIES", "MAX_PARALLEL_ITEMS"),
        *("TRUNCATE_STAGING_DATASET", "DELETE_COMPLETED_JOBS", "SCHEMA_CONTRACT", "PIPELINE_SALT"),
    }


@pytest.mark.scale
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_bare_names_in_the_environment_do_not_reach_dlt(
    request: pytest.FixtureRequest, api: FakeApi, tmp_path: Path, destination: str
) -> None:
    """They may be any other program's: same dataset, whole JSON, exact tables, whatever they say."""
    api.organisation.add(ACCOUNT, client_id="1", scopes=["a", "b"], new_field=["x"])
    warehouse: Warehouse = DuckDB(tmp_path / "clients.duckdb")
    if destination == "postgres":
        server: Postgres = request.getfixturevalue("server")
        warehouse = server.emptied(f"names_{uuid.uuid4().hex[:8]}")
    nasty: list[dict[str, str]] = [
        {},
        dict.fromkeys(bare_names(), "true"),
        dict.fromkeys(bare_names(), "-1"),
        dict.fromkeys(bare_names(), "elsewhere") | {"PROGRESS": "log", "REFRESH": "drop_sources"},
    ]
    for attempt, names in enumerate(nasty):
        api.organisation.add(ACCOUNT, client_id=f"of {attempt}", scopes=["c"])
        done = subprocess.run(
            [*PROGRAM, "sync", "--destination", destination, "--format", "json", "--progress", "off"],
            cwd=tmp_path,
            env=names
            | {name: value for name, value in os.environ.items() if name not in names}
            | warehouse.environment
            | {"CLOUDFLARE_API_TOKEN": FAKE_TOKEN, "CLOUDFLARE_BASE_URL": api.base_url}
            | {"DLT_DATA_DIR": str(tmp_path / "dlt")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "complete"), done.stderr
        listed = {client["client_id"] for client in api.organisation.clients(ACCOUNT)}
        assert {row["client_id"] for row in warehouse.rows("oauth_clients")} == listed
    changes = sorted(row["change"] for row in warehouse.rows("oauth_client_changes"))
    assert changes == ["baseline"] * 2 + ["created"] * 3
    assert len(warehouse.rows("oauth_clients__scopes")) == 6
    assert not (tmp_path / "elsewhere").exists()


def foreign_pipeline(folder: Path) -> None:
    """A dlt pipeline of the user's own, with a load package that waits."""
    pipeline = dlt.pipeline("shop", pipelines_dir=str(folder), destination="duckdb", dataset_name="shop")
    pipeline.extract([{"id": 1}], table_name="orders")
    pipeline.normalize()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("command", [["sync"], ["sync", "--dry-run"], ["findings"], ["changes"]])
def test_the_working_folder_of_a_users_own_pipeline_stays(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    """Promise 11: also where both have the same name, and also a file where a lock would be."""
    pipelines = tmp_path / "dlt" / "pipelines"
    foreign_pipeline(pipelines)
    (pipelines / "shop.lock").write_text("mine")
    (pipelines / "cloudflare_oauth").mkdir()
    (pipelines / "cloudflare_oauth" / "state.json").write_text("of an earlier release, or the bare source")
    before = tree(pipelines)

    for name in ("shop", "cloudflare_oauth"):
        run(*command, "--pipeline-name", name)

    after = tree(pipelines)
    assert {file: content for file, content in after.items() if file in before} == before
    assert all(OWN_FOLDER in file for file in after.keys() - before.keys())


def as_pipeline(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{}")


def as_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("mine")


def as_link(folder: Path) -> None:
    as_pipeline(folder.parent / "another")
    folder.symlink_to(folder.parent / "another")


@pytest.mark.parametrize("make", [as_pipeline, as_file, as_link])
def test_a_folder_that_this_program_did_not_make_is_refused(
    api: FakeApi, run: Run, tmp_path: Path, make: Any
) -> None:
    """Exit code 2 and a sentence, before anything is requested."""
    pipelines = tmp_path / "dlt" / "pipelines"
    make(pipelines / OWN_FOLDER)
    before = tree(pipelines)

    done = run("sync")

    assert (done.exit_code, len(api.requests)) == (2, 0)
    assert "was not made by cloudflare-oauth" in done.stderr
    assert tree(pipelines) == before


def test_a_link_in_place_of_a_working_folder_is_refused(api: FakeApi, run: Run, tmp_path: Path) -> None:
    """What it leads to is not emptied."""
    run("sync")
    pipelines = tmp_path / "dlt" / "pipelines"
    foreign_pipeline(pipelines)
    (pipelines / OWN_FOLDER / "linked").symlink_to(pipelines / "shop")
    before = tree(pipelines / "shop")
    api.requests.clear()

    done = run("sync", "--pipeline-name", "linked")

    assert (done.exit_code, len(api.requests)) == (2, 0)
    assert "is a link" in done.stderr
    assert tree(pipelines / "shop") == before


BARE = """
import dlt
from cloudflare_oauth import cloudflare_oauth
destination = dlt.destinations.duckdb("cloudflare_oauth.duckdb")
dlt.pipeline("bare", destination=destination, dataset_name="cloudflare").run(cloudflare_oauth())
"""
PROGRAMS = {"command line": [*PROGRAM, "sync"], "bare source": [sys.executable, "-c", BARE]}
TOKEN_FILE = f'[sources.cloudflare_oauth]\napi_token = "{FAKE_TOKEN}"\n'
KEY_FILE = f'[sources.cloudflare_oauth]\nemail = "{FAKE_EMAIL}"\napi_key = "{FAKE_KEY}"\n'


@pytest.mark.variants(2)
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "given", ["token in a file", "key in a file", "token in a variable", "a wrong token"]
)
def test_no_byte_on_disk_has_a_credential_from_dlts_configuration(
    api: FakeApi, tmp_path: Path, program: str, given: str
) -> None:
    """Promise 10: neither in dlt's trace nor in its packages, the database, or what is printed."""
    secret, work = FAKE_TOKEN, tmp_path / "work"
    api.organisation.add(ACCOUNT, client_id="1", scopes=["a"])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDFLARE_")}
    environment |= {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path / "dlt")}
    environment |= {"CLOUDFLARE_BASE_URL": api.base_url, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    (work / ".dlt").mkdir(parents=True)
    secrets = work / ".dlt" / "secrets.toml"
    match given:
        case "token in a file":
            secrets.write_text(TOKEN_FILE)
        case "a wrong token":
            secret = "wr0ng-t0ken-of-a-user"
            secrets.write_text(TOKEN_FILE.replace(FAKE_TOKEN, secret))
        case "key in a file":
            secret = FAKE_KEY
            secrets.write_text(KEY_FILE)
        case _:
            environment["SOURCES__CLOUDFLARE_OAUTH__API_TOKEN"] = FAKE_TOKEN

    done = subprocess.run(
        PROGRAMS[program], cwd=work, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) == (given != "a wrong token"), done.stderr
    assert len(api.requests) > 0
    assert secret not in done.stdout + done.stderr
    written = [file for file in tmp_path.rglob("*") if file.is_file() and file != secrets]
    assert any(file.name == "trace.pickle" for file in written) == (program == "bare source")
    assert [file for file in written if secret.encode() in file.read_bytes()] == []
