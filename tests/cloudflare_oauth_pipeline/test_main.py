"""The program as a process: its outputs, its exit codes, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id

PROGRAM = (sys.executable, "-m", "cloudflare_oauth_pipeline")


def test_the_program_writes_its_whole_output_and_nothing_else(
    api: FakeApi, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A pipe receives every byte; standard error stays empty."""
    for number in range(3_000):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": False}

    synced = subprocess.run([*PROGRAM, "sync", "--format", "json", "--progress", "off"], **run)
    log = subprocess.run([*PROGRAM, "changes", "--format", "json"], **run)

    assert (synced.returncode, synced.stderr) == (0, "")
    assert json.loads(synced.stdout)["status"] == "complete"
    assert (log.returncode, log.stderr) == (0, "")
    assert len(json.loads(log.stdout)) == 3_000


def test_the_exit_code_is_that_of_the_command(tmp_path: Path, environment: dict[str, str]) -> None:
    """A scheduler relies on it."""
    for arguments, exit_code in (
        (["--help"], 0),
        (["no-such-command"], 2),
        (["sync", "--dataset", "?"], 2),
        (["changes"], 1),
    ):
        done = subprocess.run(
            [*PROGRAM, *arguments], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert done.returncode == exit_code, arguments


@pytest.mark.parametrize("command", ["sync", "check", "changes", "findings"])
def test_a_configuration_that_dlt_cannot_read_is_wrong_usage(
    api: FakeApi, tmp_path: Path, environment: dict[str, str], command: str
) -> None:
    """The message says where and why, and no request is sent."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[runtime\n")

    done = subprocess.run(
        [*PROGRAM, command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: dlt's configuration cannot be read:")
    assert "config.toml" in done.stderr
    assert "line 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not api.requests


def test_dlts_configuration_applies_despite_early_reading(
    api: FakeApi, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Reading may begin before dlt is imported, but a setting in dlt's configuration file still holds."""
    one, two = account_id("one"), account_id("two")
    for account in (one, two):
        api.organisation.add(account, client_id="client")
    (tmp_path / ".dlt").mkdir()
    for written, read in ((None, [one, two]), (f"account_ids = ['{one}']", [one])):
        if written:
            (tmp_path / ".dlt" / "config.toml").write_text(f"[sources.cloudflare_oauth]\n{written}\n")
        api.requests.clear()
        command = [*PROGRAM, "sync", "--format", "json", "--db", f"{len(read)}.duckdb"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
        assert json.loads(done.stdout)["accounts"] == {"complete": len(read)}
        assert {request.account_id for request in api.requests if request.account_id} == set(read)


def test_a_closed_pipe_ends_the_program_quietly(
    api: FakeApi, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`cloudflare-oauth changes | head -1` prints no traceback, and is no failure."""
    for number in range(1_000):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    subprocess.run([*PROGRAM, "sync"], cwd=tmp_path, env=environment, capture_output=True, check=True)

    command = [*PROGRAM, "changes", "--format", "csv"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""

    assert process.returncode == 0
