"""Run `cloudflare-oauth` in a process that sends itself a signal at a given moment.

    python -m tests.support.killed_sync STAGE NTH ARGUMENTS…

`STAGE` is a key of `STAGES` for the moment its function is called, or `after-KEY` for the moment it returns.
The signal is SIGKILL, or the one named after a colon: `after-job:SIGINT`. `NTH` counts the calls from 1;
`ARGUMENTS` are those of `cloudflare-oauth`.
"""

import functools
import importlib
import os
import signal
import sys
from typing import Any

# The public function that marks each stage.
STAGES = {
    "listing": "cloudflare_oauth.api.client:CloudflareClient.send",
    "result": "cloudflare_oauth.reading.process:ProcessReader.receive",
    "tables": "cloudflare_oauth.dlt_schema:create_tables",
    "extract": "dlt.extract.extract:Extractor.write_items",
    "append": "cloudflare_oauth_pipeline.destinations.appending:NewRows.insert_few",
    "copy": "cloudflare_oauth_pipeline.destinations.postgres_copy:copy",
    "append_to_delta": "cloudflare_oauth_pipeline.destinations.delta_lake:DeltaLakeClient.append",
    "append_to_lake": "cloudflare_oauth_pipeline.destinations.ducklake:insert",
    "commit": "dlt.destinations.impl.duckdb.sql_client:DuckDbSqlClient.commit_transaction",
    "commit_in_postgres": "dlt.destinations.impl.postgres.sql_client:Psycopg2SqlClient.commit_transaction",
    "columns": "cloudflare_oauth_pipeline.destinations.arrow_loader:ArrowFiles.write",
    "join": "cloudflare_oauth_pipeline.destinations.arrow_loader:join_package",
    "normalize": "dlt.normalize.normalize:Normalize.spool_schema_files",
    "load": "dlt.load.load:Load.load_single_package",
    "job": "dlt.common.destination.client:RunnableLoadJob.run_managed",
    "completed": "dlt.load.load:Load.complete_package",
}


def function_of(stage: str) -> tuple[Any, str]:
    """Return the module or class that holds the function of a stage, and the function's name."""
    module_name, _, path = STAGES[stage].partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, attribute = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, attribute


def kill_at(stage: str, nth: int) -> None:
    """Make this process send itself the signal at the `nth` call of a stage."""
    stage, _, signal_name = stage.partition(":")
    number = signal.Signals[signal_name or "SIGKILL"]
    when, _, name = stage.rpartition("-")
    owner, attribute = function_of(name)
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
    # A shell that runs the tests in the background makes its children ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["cloudflare-oauth", *sys.argv[3:]]
    from cloudflare_oauth_pipeline.__main__ import main

    main()
