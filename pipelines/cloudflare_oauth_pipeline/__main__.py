"""The program: `cloudflare-oauth`, or `python -m cloudflare_oauth_pipeline`."""

import gc
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from .cli.signals import end_on_signals
from .cli.streams import prepare_streams


def main() -> None:
    """Run the command line and end the process."""
    end_on_signals()
    prepare_streams()
    settle_environment()
    relax_garbage_collector()
    # Arrow's own allocator keeps more of the memory that it no longer needs. Read when Arrow is imported.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # NumPy's linear algebra, which is not used, would reserve memory for each core, or end the process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] == ["sync"]:
        # Before the command line is imported: the process gets ready meanwhile.
        from .run.early_reading import start_early

        start_early()
    # After the environment is set, and the other process started.
    from .cli.commands import main as run

    exit_now(run())


def settle_environment() -> None:
    """Correct what libraries would fail on when they are imported."""
    try:
        Path.home()
    except RuntimeError:
        # As containers do for users whom they do not know. Libraries look for caches below it.
        os.environ["HOME"] = os.sep
    for name in ("TERMINAL_WIDTH", "COLUMNS", "LINES"):
        # typer and rich take other texts for numbers, too.
        if not re.fullmatch("[0-9]+", os.environ.get(name, "")):
            os.environ.pop(name, None)


def relax_garbage_collector() -> None:
    """Make Python's garbage collector run less often: rows are no garbage, but cost a fifth of a sync."""
    gc.set_threshold(1_000_000, 5, 20)


def exit_now(exit_code: int) -> NoReturn:
    """End the process without a last garbage collection, which would take half a second."""
    # Everything is closed by now.
    os._exit(exit_code)


if __name__ == "__main__":
    main()
