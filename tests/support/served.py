"""Runs `cloudflare-oauth explore` in a separate process."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PROGRAM = (sys.executable, "-m", "cloudflare_oauth_pipeline")


@dataclass(frozen=True)
class Served:
    """Where the app is served: the address as it was printed, and the same without the token."""

    printed: str

    @property
    def address(self) -> str:
        """The address of the app, with a slash at the end."""
        return self.printed.partition("?")[0]

    @property
    def token(self) -> str:
        """The access token; empty if none was printed."""
        return self.printed.partition("access_token=")[2]

    def client(self) -> httpx.Client:
        """A client that has opened the printed address, and so has the cookie."""
        return httpx.Client(base_url=self.address, cookies=httpx.get(self.printed).cookies)


@contextmanager
def explored(
    db: Path | None, folder: Path, environment: Mapping[str, str], *options: str, warning: str = ""
) -> Iterator[Served]:
    """Serve the app; interrupts the process at the end, as Ctrl-C does, and checks what it has printed.

    Args:
        db: the DuckDB file.
        folder: the working directory of the process.
        environment: its environment variables.
        options: further options of `explore`; by default no browser is opened.
        warning: all that it may print on standard error.
    """
    command = [*PROGRAM, "explore", "--db", str(db), *(options or ["--no-browser"])]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield Served(process.stdout.readline().strip())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        # No request is logged: its address might have the token in it.
        assert (process.returncode, process.stdout.read(), process.stderr.read()) == (0, "", warning)
