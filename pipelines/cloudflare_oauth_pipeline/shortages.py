"""What a machine may run out of, found behind errors that do not say so."""

import errno
import re

# As the libraries, the C library and DuckDB say it.
_NO_MEMORY = re.compile(
    r"out of memory|cannot allocate memory|failed to allocate|could not allocate|malloc of size|bad_alloc"
    r"|not enough memory|failed to map segment",
    re.IGNORECASE,
)
_NO_THREAD = re.compile(
    r"can't (start|create) (a )?new thread|thread.*resource temporarily unavailable", re.I
)

_MEMORY = (
    "there is not enough memory: raise the limit (ulimit -v, or the container's memory), or read fewer "
    "accounts at once (--account), and run again"
)


def shortage_of(error: BaseException) -> str | None:
    """What this machine lacked, in a sentence, if an error or one of its causes comes from that."""
    causes = all_causes(error)
    if any(getattr(cause, "pgcode", None) for cause in causes):
        # PostgreSQL's server has said it, of the machine that it runs on.
        return None
    for cause in causes:
        text = str(cause)
        if isinstance(cause, MemoryError) or getattr(cause, "errno", None) == errno.ENOMEM:
            return _MEMORY
        if isinstance(cause, BlockingIOError) or _NO_THREAD.search(text):
            return (
                "no more threads or processes may be started here: raise the limit on them (ulimit -u, or "
                "the container's pids limit), or on memory, which they take (ulimit -v), and run again"
            )
        if _NO_MEMORY.search(text):
            return _MEMORY
    return None


def all_causes(error: BaseException) -> list[BaseException]:
    """The error, and what it was raised from or raised while handling, each once."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if cause not in found:
            found.append(cause)
            waiting += [one for one in (cause.__context__, cause.__cause__) if one is not None]
    return found
