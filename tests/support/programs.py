"""Other versions of this program: the last release, and copies with a few words changed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from tests.support.warehouses import Warehouse

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).parent / "released"


@dataclass(frozen=True)
class Program:
    """A version of the program, found by these folders."""

    path: tuple[Path, ...]

    def run(
        self, *arguments: str, api: FakeApi, warehouse: Warehouse, home: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run `cloudflare-oauth` with these arguments and the warehouse as its destination."""
        home.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "HOME": str(home),
            "DLT_DATA_DIR": str(home / "dlt"),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
            **warehouse.environment,
        }
        program = [sys.executable, "-m", "cloudflare_oauth_pipeline", *arguments]
        return subprocess.run(
            program, env=environment, cwd=home, capture_output=True, text=True, check=False, timeout=120
        )

    def sync(self, api: FakeApi, warehouse: Warehouse, home: Path) -> dict[str, Any]:
        """Sync into a warehouse; returns the summary.

        Raises:
            AssertionError: it printed none; the message is what it said.
        """
        arguments = ("sync", "--format", "json", "--destination", warehouse.destination)
        done = self.run(*arguments, api=api, warehouse=warehouse, home=home)
        assert done.stdout, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary | {"exit_code": done.returncode, "stderr": done.stderr}

    @contextmanager
    def served(self, folder: Path) -> Iterator["ServedProgram"]:
        """Run `sync()` again and again in one process, which is much faster than a process for each.

        Args:
            folder: the process's own.
        """
        folder.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (*self.path, ROOT))),
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
        }
        arguments = [sys.executable, "-m", "tests.support.served_program"]
        with subprocess.Popen(
            arguments, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield ServedProgram(process)
            finally:
                process.kill()


class ServedProgram:
    """A version of the program in a process of its own, which waits for syncs to run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def sync(self, **arguments: Any) -> dict[str, Any]:
        """Sync; returns the summary, or the name of the `error` and its `message`.

        Args:
            arguments: see `served_program`.

        Raises:
            AssertionError: the process has ended.
        """
        assert self._process.stdin and self._process.stdout
        assert self._process.poll() is None, f"the program has ended with {self._process.returncode}"
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the program has ended with {self._process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer


def released_program(folder: Path) -> Program:
    """The last release, from its wheel."""
    (wheel,) = RELEASED.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return Program((folder,))


def copied_program(folder: Path, edits: Mapping[str, tuple[str, str]]) -> Program:
    """A copy of this program in which each of these files has one text replaced by another."""
    for part in ("sources", "pipelines"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (old, new) in edits.items():
        file = folder / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        file.write_text(text.replace(old, new), "utf-8")
    return Program((folder / "sources", folder / "pipelines"))


def this_program() -> Program:
    """This program, as it is."""
    return Program((ROOT / "sources", ROOT / "pipelines"))
