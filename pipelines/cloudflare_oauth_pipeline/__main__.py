"""The program: `cloudflare-oauth`, or `python -m cloudflare_oauth_pipeline`."""

import gc
import os
import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder
from typing import Any

# Left as it is, Python's garbage collector takes a fifth of a sync's time to look at rows that are none.
_COLLECT_AFTER = (50_000, 5, 20)


class _WithoutArrays(MetaPathFinder):
    """Lets NumPy and pandas seem not to be installed.

    Arrow imports them wherever it can, for a quarter of a second, only to see that a list is no data frame.
    """

    def find_spec(self, name: str, *_: Any) -> None:
        """Find nothing: Python's other finders may."""
        if name in ("numpy", "pandas"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    """Run the command line and end the process."""
    gc.set_threshold(*_COLLECT_AFTER)
    if sys.argv[1:2] == ["sync"]:
        # It gets ready while this process reads its options.
        from cloudflare_oauth.reading.process import prepare

        with suppress(OSError):
            # If it cannot be started at all, `sync` says so.
            prepare()
        if not any(argument.startswith("--destination") for argument in sys.argv):
            # DuckDB is loaded without them; of other destinations nobody knows.
            sys.meta_path.insert(0, _WithoutArrays())
    from .cli.commands import main as run

    exit_code = run()
    sys.stderr.flush()
    # Everything is closed. Python would search all its memory for garbage now, for half a second.
    os._exit(exit_code)


if __name__ == "__main__":
    main()
