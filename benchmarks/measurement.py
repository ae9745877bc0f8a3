"""A process from its start to its end: wall seconds, CPU seconds, peak memory."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from .errors import BenchmarkError

# Memory grows for seconds; looking at it more often would slow down what is measured.
_SECONDS_BETWEEN_LOOKS = 0.05
_LONGEST_COMPLAINT = 4_000


@dataclass(frozen=True)
class Measurement:
    """What a process took, its children's included; `peak_mb` is the largest sum of what was resident."""

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
        memory = _Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
        memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = output.read_text(errors="replace")[-_LONGEST_COMPLAINT:]
        raise BenchmarkError(f"{' '.join(command)} ended with code {process.returncode}:\n{said}")
    return Measurement(
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=memory.peak_bytes / 1e6,
    )


class _Memory:
    """Looks, on a thread, at the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            resident = 0
            # Processes end while they are looked at.
            with suppress(psutil.Error):
                for process in [self._process, *self._process.children(recursive=True)]:
                    resident += process.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, resident)
