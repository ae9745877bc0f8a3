"""A lake whose files are in a bucket: the tables of DuckDB, a killed sync, and credentials that are wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from tests.cloudflare_oauth_pipeline.destinations.test_destinations import (
    KILLED_SYNC,
    change_everything,
    fill,
    syncs_like_duckdb,
)
from tests.support.commands import TESTS_ON_PATH, Done, Run
from tests.support.warehouses import DeltaOnS3, DuckDB, DuckLakeOnS3, Postgres, Rows, Sync

pytestmark = pytest.mark.scale

TO_LAKE = ("--destination", "ducklake")
STORAGE = "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__"
KEY = f"{STORAGE}CREDENTIALS__AWS_ACCESS_KEY_ID"
SECRET = f"{STORAGE}CREDENTIALS__AWS_SECRET_ACCESS_KEY"
REGION = f"{STORAGE}CREDENTIALS__REGION_NAME"
ENDPOINT = f"{STORAGE}CREDENTIALS__ENDPOINT_URL"


@pytest.fixture
def in_postgres(s3: DeltaOnS3, server: Postgres, tmp_path: Path) -> DuckLakeOnS3:
    """An empty lake with its catalogue in PostgreSQL."""
    return DuckLakeOnS3(s3.emptied(tmp_path.name), tmp_path / "lake", server.emptied(tmp_path.name))


@pytest.fixture
def in_sqlite(s3: DeltaOnS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DuckLakeOnS3:
    """An empty lake with its catalogue in SQLite; the variables say where it is, and no AWS profile does."""
    lake = DuckLakeOnS3(s3.emptied(tmp_path.name), tmp_path / "lake")
    for name, value in lake.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return lake


def files_of(lake: DuckLakeOnS3) -> set[str]:
    return set(lake.bucket.files.find(lake.bucket.path))


@pytest.mark.parametrize("catalogue", ["in_postgres", *(["in_sqlite"] if "SWEEP" in os.environ else [])])
def test_every_kind_of_sync_ends_in_the_tables_of_duckdb(
    api: FakeApi, sync_into: Sync, run: Run, tmp_path: Path, catalogue: str, request: pytest.FixtureRequest
) -> None:
    """Nothing new writes only `account_syncs`, and no file; `changes` and `findings` read the lake."""
    lake: DuckLakeOnS3 = request.getfixturevalue(catalogue)
    reference = DuckDB(tmp_path / "reference.duckdb")

    def stored() -> dict[str, Rows]:
        rows = lake.everything().items()
        return {
            name: sorted(found, key=repr)
            for name, found in rows
            if name != "account_syncs" and not name.startswith("_dlt")
        }

    syncs_like_duckdb(api, sync_into, lake, reference)
    before, files = stored(), files_of(lake)
    assert any("/oauth_clients/" in file for file in files)
    sync_into(lake)
    assert stored() == before
    assert files_of(lake) == files

    for command in ("changes", "findings"):
        found = run(command, "--format", "json", *TO_LAKE).json
        expected = run(command, "--format", "json", "--db", str(reference.file)).json
        assert found
        for row in found + expected:
            # These differ in every run of the same data.
            for name in ("observed_at", "sync_id", "first_seen"):
                row.pop(name, None)
        assert sorted(found, key=repr) == sorted(expected, key=repr)


def in_process(
    api: FakeApi, lake: DuckLakeOnS3, home: Path, *killed: str
) -> "subprocess.CompletedProcess[str]":
    """Sync from a new machine, perhaps killed at a stage."""
    command = [*KILLED_SYNC, *killed] if killed else ["-m", "cloudflare_oauth_pipeline"]
    return subprocess.run(
        [sys.executable, *command, "sync", *TO_LAKE],
        cwd=home.parent,
        env=os.environ
        | TESTS_ON_PATH
        | lake.environment
        | {
            "DLT_DATA_DIR": str(home),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_next_sync_on_a_new_machine_repairs_a_killed_one(
    api: FakeApi, in_postgres: DuckLakeOnS3, sync_into: Sync, tmp_path: Path
) -> None:
    """A first sync is killed when its files are in the bucket, a second in the midst of dlt's load jobs."""
    reference = DuckDB(tmp_path / "reference.duckdb")

    def killed_and_repaired(number: int, stage: str, nth: int) -> None:
        sync_into(reference)
        died = in_process(api, in_postgres, tmp_path / f"killed-{number}", stage, str(nth))
        assert died.returncode == -signal.SIGKILL, died.stderr
        done = in_process(api, in_postgres, tmp_path / f"repairing-{number}")
        assert done.returncode == 0, done.stderr
        found, expected = in_postgres.content(), reference.content()
        # A killed sync may have rows of its own there.
        del found["account_syncs"], expected["account_syncs"]
        assert found == expected

    fill(api.organisation)
    killed_and_repaired(1, "after-append", 1)
    change_everything(api.organisation)
    killed_and_repaired(2, "after-job", 3)


@contextmanager
def refusing(s3: DeltaOnS3) -> Iterator[None]:
    """Let the server accept no credentials: it has no users."""

    def accept(requests: str) -> None:
        httpx.post(f"{s3.endpoint}/moto-api/reset-auth", content=requests).raise_for_status()

    accept("0")
    try:
        yield
    finally:
        accept("inf")


def assert_one_sentence(done: Done, exit_code: int, *parts: str) -> None:
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.exit_code == exit_code, done.stderr
    assert len(errors) == 1
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stderr
    for part in parts:
        assert part in errors[0]


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "new"])
def test_refused_credentials_are_one_sentence(
    api: FakeApi,
    run: Run,
    s3: DeltaOnS3,
    in_sqlite: DuckLakeOnS3,
    monkeypatch: pytest.MonkeyPatch,
    stored: bool,
) -> None:
    """Where there are files, they cannot be read; else none can be written. Nothing is broken by it."""
    monkeypatch.setenv(SECRET, "opensesame")
    fill(api.organisation)
    commands = ["sync"]
    if stored:
        assert run("sync", *TO_LAKE).exit_code == 0
        commands += ["changes", "findings"]

    for command in commands:
        with refusing(s3):
            done = run(command, *TO_LAKE)

        assert_one_sentence(done, 1, "does not let", in_sqlite.bucket.path, KEY)
    assert run("sync", *TO_LAKE).exit_code == 0


@pytest.mark.parametrize(
    ("changed", "exit_code", "parts"),
    [
        pytest.param({KEY: "", SECRET: ""}, 2, ("has no credentials", KEY), id="no keys"),
        pytest.param({SECRET: ""}, 2, ("has no credentials", "AWS_SECRET_ACCESS_KEY"), id="no secret"),
        pytest.param({REGION: "", ENDPOINT: ""}, 2, ("the region", REGION), id="no region"),
        pytest.param({f"{STORAGE}BUCKET_URL": "r2://bucket/lake"}, 2, ("r2://", "s3://"), id="r2"),
        pytest.param({f"{STORAGE}BUCKET_URL": "s3a://bucket/lake"}, 2, ("s3a://", "s3://"), id="s3a"),
        pytest.param(
            {f"{STORAGE}BUCKET_URL": "s3://none/lake"},
            1,
            ("s3://none/lake", "create the bucket"),
            id="bucket",
        ),
        pytest.param(
            {ENDPOINT: "http://127.0.0.1:1"}, 1, ("http://127.0.0.1:1 does not answer", ENDPOINT), id="port"
        ),
    ],
)
def test_wrong_settings_are_one_sentence(
    api: FakeApi,
    run: Run,
    in_sqlite: DuckLakeOnS3,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
    exit_code: int,
    parts: tuple[str, ...],
) -> None:
    """It names the variable; with exit code 2, nothing was requested."""
    monkeypatch.setenv(SECRET, "opensesame")
    for name, value in changed.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    fill(api.organisation)

    assert_one_sentence(run("sync", *TO_LAKE), exit_code, *parts)
    assert exit_code == 1 or not api.requests


def test_another_bucket_than_the_catalogues_is_one_sentence(
    api: FakeApi, run: Run, in_sqlite: DuckLakeOnS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names both."""
    fill(api.organisation)
    assert run("sync", *TO_LAKE).exit_code == 0
    monkeypatch.setenv(f"{STORAGE}BUCKET_URL", "s3://bucket/another")

    assert_one_sentence(
        run("sync", *TO_LAKE), 1, f"s3://{in_sqlite.bucket.path}/", "s3://bucket/another/", "correct"
    )


@pytest.mark.parametrize("kind", ["quote", "of the machine", "no region"])
def test_other_ways_to_give_credentials(
    api: FakeApi,
    run: Run,
    in_sqlite: DuckLakeOnS3,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """A secret with a quote in it, AWS's own variables without DuckDB's extension for them, no region."""
    if kind == "quote":
        monkeypatch.setenv(SECRET, "open'sesame")
    elif kind == "no region":
        monkeypatch.delenv(REGION)
    else:
        for name in (KEY, SECRET):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "opensesame")
    fill(api.organisation)

    done = run("sync", *TO_LAKE)

    assert done.exit_code == 0, done.stderr
    assert any("/oauth_clients/" in file for file in files_of(in_sqlite))
    assert len(in_sqlite.content()["oauth_clients"]) == 25
