"""Hold a dataset open in another process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READ = "open_for_reading(target) as (pipeline, _), pipeline.sql_client() as client"
WRITE = "open_for_writing(target)"
_PROGRAM = """
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_reading, open_for_writing
from cloudflare_oauth_pipeline.destinations.target import Target
target = Target()
with {opened}:
    print("open", flush=True)
    input()
"""


@contextmanager
def held(opened: str) -> Iterator[int]:
    """Hold the default dataset open (`READ` or `WRITE`) in another process, and yield its process id."""
    command = [sys.executable, "-c", _PROGRAM.format(opened=opened)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate("\n", timeout=20)
