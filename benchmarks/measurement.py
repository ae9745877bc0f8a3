"""Measures a process from start to end: wall seconds, CPU seconds, peak memory."""

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

# Memory grows over seconds; sampling more often would slow down the process that is measured.
_SAMPLE_SECONDS = 0.05
_MAX_OUTPUT_CHARACTERS = 4_000


@dataclass(frozen=True)
class Measurement:
    """What a process and its children used; `peak_mb` is the highest sum of their resident memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def measured(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> Measurement:
    """Run a command in a folder, capture its output there, and measure it.

    Raises:
        BenchmarkError: the command ended with a code other than 0; the message ends with its output.
    """
    output = folder / "output.txt"
    with output.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - a module of this tree
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        memory = _MemorySampler(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
        memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        printed = output.read_text(errors="replace")[-_MAX_OUTPUT_CHARACTERS:]
        raise BenchmarkError(f"{' '.join(command)} ended with code {process.returncode}:\n{printed}")
    return Measurement(
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=memory.peak_bytes / 1e6,
    )


class _MemorySampler:
    """Samples the memory of a process and its children on a thread."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            resident = 0
            # A process may end while it is sampled.
            with suppress(psutil.Error):
                for process in [self._process, *self._process.children(recursive=True)]:
                    resident += process.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, resident)
