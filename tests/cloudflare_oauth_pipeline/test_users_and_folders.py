"""The program for users without a home, over what other users own, and where little may be started."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import COMMANDS, PROGRAM, Start, program_in, sentence

# As a user without a name or a home, who may read everything, but write only what is theirs; and as root
# without root's way around permissions. Another user who runs the tests is such a user already.
IS_ROOT = os.geteuid() == 0
# Of this process alone, because a limit on processes is one on all of a user's.
STRANGER = 1_000_000 + os.getpid() if IS_ROOT else os.geteuid()
_READS = "+dac_read_search"
AS_STRANGER = [
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    *(f"--inh-caps={_READS}", f"--ambient-caps={_READS}"),
]
WITHOUT_PRIVILEGES = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
if not IS_ROOT:
    AS_STRANGER = WITHOUT_PRIVILEGES = []
needs_users = pytest.mark.skipif(
    any(
        shutil.which("setpriv") is None or subprocess.run([*how, "true"], check=False).returncode
        for how in (AS_STRANGER, WITHOUT_PRIVILEGES)
        if how
    ),
    reason="root may not become another user here",
)


@pytest.fixture
def beside(synced_folder: tuple[Path, dict[str, str]]) -> Iterator[tuple[Path, Start]]:
    """A folder with a copy of that dataset, and what runs the program in it."""
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        shutil.copy(synced_folder[0] / "cloudflare_oauth.duckdb", folder)
        yield folder, program_in(folder, synced_folder[1] | {"DLT_DATA_DIR": str(folder / "dlt")})
        folder.chmod(0o755)


def give(folder: Path, user: int) -> None:
    """Make the folder and all in it a user's own."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, -1)


@needs_users
@pytest.mark.variants(9)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("home", [None, "/", "/no/such/home"])
def test_every_command_runs_without_a_home(
    beside: tuple[Path, Start], arguments: list[str], home: str | None
) -> None:
    """As for a user whom the system does not know: in containers, by schedulers."""
    folder, start = beside
    give(folder, STRANGER)

    done = start(*arguments, before=AS_STRANGER, HOME=home, DLT_DATA_DIR=None, TMPDIR=str(folder))

    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.variants(4)
@needs_users
@pytest.mark.parametrize("arguments", [*COMMANDS, ["sync", "--dry-run"], ["demo"]], ids=" ".join)
def test_every_command_in_a_folder_that_cannot_be_written(
    beside: tuple[Path, Start], arguments: list[str]
) -> None:
    """What reads, works; what would write says what it may not."""
    folder, start = beside
    for path in (folder / "cloudflare_oauth.duckdb", folder):
        path.chmod(0o555)

    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o777)
        done = start(*arguments, before=AS_STRANGER, HOME=home, DLT_DATA_DIR=home)

    writes = arguments[0] in ("sync", "demo", "explore") and "--dry-run" not in arguments
    if not writes:
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    elif arguments[0] == "explore":
        assert "--export pages: Permission denied" in sentence(done, 2)
    else:
        assert f"the folder {folder} cannot be written to: Permission denied" in sentence(done, 2)


@pytest.mark.variants(3)
@needs_users
@pytest.mark.parametrize("arguments", COMMANDS[:-1], ids=" ".join)
def test_every_command_over_another_users_file(beside: tuple[Path, Start], arguments: list[str]) -> None:
    """Only `check` and `accounts` need none."""
    folder, start = beside
    file = folder / "cloudflare_oauth.duckdb"
    file.chmod(0o600 if IS_ROOT else 0o000)
    if IS_ROOT:
        os.chown(file, STRANGER, -1)

    done = start(*arguments, before=WITHOUT_PRIVILEGES)

    if arguments not in (["check"], ["accounts"]):
        assert "the file cannot be read: Permission denied" in sentence(done, 2)


@pytest.mark.variants(3)
@needs_users
@pytest.mark.parametrize("name", ["waivers.toml", ".dlt/config.toml", ".dlt/secrets.toml"])
@pytest.mark.parametrize("command", ["sync", "findings"])
def test_another_users_settings_are_named(beside: tuple[Path, Start], name: str, command: str) -> None:
    """Without them the answer would be another one."""
    folder, start = beside
    (folder / ".dlt").mkdir()
    file = folder / name
    file.touch()
    file.chmod(0o600 if IS_ROOT else 0o000)
    if IS_ROOT:
        os.chown(file, STRANGER, -1)

    assert name in sentence(start(command, before=WITHOUT_PRIVILEGES), 2)


@needs_users
@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_dlts_working_folder_may_be_another_users(
    beside: tuple[Path, Start], tmp_path: Path, mode: int
) -> None:
    """As `/tmp/dlt` is, where two users have no home; what only reads needs none."""
    _, start = beside
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs").chmod(mode)
    variables = {"DLT_DATA_DIR": str(tmp_path / "theirs")}

    told = sentence(start("sync", before=WITHOUT_PRIVILEGES, **variables), 2)

    assert "theirs" in told
    assert "set DLT_DATA_DIR to a folder that can be written to" in told
    assert start("findings", before=WITHOUT_PRIVILEGES, **variables).returncode == 0


@pytest.mark.variants(9)
@pytest.mark.parametrize("arguments", [*COMMANDS[:-1], ["demo"]], ids=" ".join)
def test_every_command_in_a_folder_that_is_gone(
    tmp_path: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    """A scheduler may have been started in one."""
    done = subprocess.run(
        ["bash", "-c", 'mkdir gone; cd gone; rmdir ../gone; "$@"', "bash", *PROGRAM, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "the current folder cannot be used (No such file or directory)" in sentence(done, 1)


@needs_users
@pytest.mark.skipif(not IS_ROOT, reason="the limit is one of the user, who has other processes")
@pytest.mark.variants(8)
@pytest.mark.parametrize("processes", [1, 2, 3, 6, 10, 14])
@pytest.mark.parametrize("arguments", [["sync"], ["check"], ["findings"], ["explore", "--export", "pages"]])
def test_few_processes_and_threads_are_enough_or_told(
    beside: tuple[Path, Start], arguments: list[str], processes: int
) -> None:
    """As by a container's `pids.max`: by the command itself, and by its reader process."""
    folder, start = beside
    give(folder, STRANGER)

    done = start(*arguments, before=["prlimit", f"--nproc={processes}", *AS_STRANGER], HOME=str(folder))

    if done.returncode:
        assert "no more threads or processes may be started here" in sentence(done, 1)
    assert "Traceback" not in done.stderr
