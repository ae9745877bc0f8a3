"""The program as a process, and what it tells."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PROGRAM = (sys.executable, "-m", "cloudflare_oauth_pipeline")
COMMANDS = [
    ["sync", "--format", "json"],
    ["sync"],
    ["check"],
    ["accounts"],
    ["changes"],
    ["changes", "--format", "csv"],
    ["findings"],
    ["findings", "--format", "json"],
    ["explore", "--export", "pages"],
    ["--help"],
]
# With characters that many encodings lack.
NAME = "Zażółć Ω 🦆"

Start = Callable[..., "subprocess.CompletedProcess[str]"]


def program_in(folder: Path, environment: dict[str, str]) -> Start:
    """Runs the program in a folder, by a command before it, with more variables (None removes one)."""

    def start(
        *arguments: str, before: Sequence[str] = (), **variables: str | None
    ) -> "subprocess.CompletedProcess[str]":
        env = {name: value for name, value in (environment | variables).items() if value is not None}
        return subprocess.run(
            [*before, *PROGRAM, *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=120,
        )

    return start


def sentence(done: "subprocess.CompletedProcess[str]", exit_code: int) -> str:
    """The one error that was told."""
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == exit_code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line
