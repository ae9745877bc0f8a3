"""A process from its start to its end: wall seconds, CPU seconds, peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchmarkError

# What the kernel counts `ru_maxrss` in.
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024
_LONGEST_COMPLAINT = 4_000


@dataclass(frozen=True)
class Measurement:
    """What a process took, its children's included; `peak_mb` is that of the largest one of them."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def measured(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> Measurement:
    """Run a command in a folder, which keeps its output.

    Raises:
        BenchmarkError: it ended with another code than 0.
    """
    output = folder / "output.txt"
    with output.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - a module of this tree
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = output.read_text(errors="replace")[-_LONGEST_COMPLAINT:]
        raise BenchmarkError(f"{' '.join(command)} ended with code {process.returncode}:\n{said}")
    return Measurement(
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss * _BYTES_OF_MAXRSS / 1e6,
    )
