"""Runs `cloudflare-oauth explore` in a separate process."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROGRAM = (sys.executable, "-m", "cloudflare_oauth_pipeline")


@contextmanager
def explored(db: Path | None, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Serve the app and yield its address; interrupts the process at the end, as Ctrl-C does."""
    command = [*PROGRAM, "explore", "--db", str(db), "--no-browser"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        assert (process.returncode, process.stdout.read(), process.stderr.read()) == (0, "", "")
