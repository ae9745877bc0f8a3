"""A sync in a process of its own that sends itself a signal at a named moment.

    python killed_sync.py STAGE NTH cloudflare-oauth's arguments…

`STAGE` is one of `STAGES`, when its function is called, or `after-…`, when it has returned. The signal
is SIGKILL, or another that is named behind a colon: `after-job:SIGINT`. `NTH` is the how-manieth call.
"""

import functools
import importlib
import os
import signal
import sys
from typing import Any

STAGES = {
    "listing": "cloudflare_oauth.api.client:CloudflareClient._send",
    "answer": "cloudflare_oauth.reading.process:ProcessReader._answer",
    "tables": "cloudflare_oauth.source:create_tables",
    "extract": "dlt.extract.extract:Extractor.write_items",
    "columns": "cloudflare_oauth_pipeline.destinations.arrow_loader:_Files._write",
    "join": "cloudflare_oauth_pipeline.destinations.arrow_loader:_join_package",
    "normalize": "dlt.normalize.normalize:Normalize.spool_schema_files",
    "load": "dlt.load.load:Load.load_single_package",
    "job": "dlt.common.destination.client:RunnableLoadJob.run_managed",
    "completed": "dlt.load.load:Load.complete_package",
}


def kill_at(stage: str, nth: int) -> None:
    """Arrange that the process gets the signal at the `nth` call of a stage."""
    stage, _, signal_name = stage.partition(":")
    number = signal.Signals[signal_name or "SIGKILL"]
    when, _, name = stage.rpartition("-")
    module_name, _, path = STAGES[name].partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, attribute = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, attribute)
    calls = 0

    @functools.wraps(original)
    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        is_it = calls == nth
        if is_it and when != "after":
            os.kill(os.getpid(), number)
        result = original(*args, **kwargs)
        if is_it:
            os.kill(os.getpid(), number)
        return result

    setattr(owner, attribute, dying)


if __name__ == "__main__":
    # Whoever runs the tests in the background has made their children ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["cloudflare-oauth", *sys.argv[3:]]
    from cloudflare_oauth_pipeline.__main__ import main

    main()
