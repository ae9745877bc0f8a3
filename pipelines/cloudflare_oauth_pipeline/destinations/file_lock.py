"""The lock on a dataset that lies on this machine: a file that the system unlocks when the process ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from cloudflare_oauth import BusyError

from .adapter import DatasetLock


@contextmanager
def file_lock(file: Path, dataset: Path, longest_wait_seconds: float) -> Iterator[DatasetLock]:
    """Hold the lock; its file and folder are made.

    Raises:
        BusyError: another sync holds it for longer than is waited.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(file, timeout=longest_wait_seconds)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BusyError(
            f"another sync has been loading into {dataset} for {longest_wait_seconds:.0f} seconds; "
            "nothing was changed: wait for it, and run again"
        ) from None
    try:
        yield DatasetLock()
    finally:
        lock.release()
