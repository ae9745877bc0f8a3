"""The standard streams as programs find them: closed, full, in any encoding, or read by one that stops."""

import io
import os
import sys
from typing import Any, TextIO


class _Patient(io.FileIO):
    """A stream to write to that never fails: what can no longer be written is dropped.

    So the work goes on, and its exit code tells how it went. `error` is the reason, if it is not that the
    reader, such as `head`, has seen enough.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or drop."""
        try:
            written = super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes
        except OSError as error:
            self.error = error
            return memoryview(data).nbytes
        # None if the stream does not block and is full.
        return written or 0


def prepare_streams() -> None:
    """Make the standard streams such that nothing that is printed can fail.

    A stream that is closed is opened on the null device. Otherwise the next file that is opened, be it the
    database, would take its descriptor, and what libraries print would be written into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest descriptor that is free: this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  # for as long as the process lasts
    sys.stdout = _patient(sys.stdout, 1)
    sys.stderr = _patient(sys.stderr, 2)


def flush_streams() -> OSError | None:
    """Write what is still buffered; returns why standard output could not be written, if it could not."""
    error = None
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        if stream is sys.stdout and isinstance(raw, _Patient):
            error = raw.error
    return error


def _patient(stream: TextIO | None, descriptor: int) -> TextIO:
    raw = _Patient(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        # A character that the encoding lacks is shown as its escape.
        errors="backslashreplace",
        line_buffering=descriptor == 2 or raw.isatty(),
    )
