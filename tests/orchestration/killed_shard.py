"""Kills the process that syncs a shard, while it writes.

    KILLED_SHARD="SHARD STAGE NTH TIMES FILE"

`SHARD` is a name, or the number of the sync in its process, from 1. `STAGE` and `NTH` are those of
`tests.support.killed_sync`, counted in the sync of this shard. The first `TIMES` attempts die; `FILE` has a
line for each.
"""

import os
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import cloudflare_oauth_pipeline
from tests.support.killed_sync import kill_at

VARIABLE = "KILLED_SHARD"
# In the transaction that appends; after it; and while dlt merges one account, the other one being loaded.
MOMENTS = [("apac_2", "after-copy", 2), ("emea_1", "after-commit_in_postgres", 1), ("emea_1", "after-job", 4)]


# Once in a process, although Dagster may load the job several times.
@cache
def kill_shard() -> None:
    """Let this process send itself SIGKILL in the sync of the shard that the variable names, if it is set."""
    if VARIABLE not in os.environ:
        return
    killed, stage, nth, times, file = os.environ[VARIABLE].split(maxsplit=4)
    attempts = Path(file)
    numbers = count(1)
    sync_of_library = cloudflare_oauth_pipeline.sync

    def sync(target: Any, settings: Any) -> Any:
        if killed in (target.pipeline_name, str(next(numbers))):
            so_far = attempts.read_text() if attempts.exists() else ""
            if so_far.count("\n") < int(times):
                attempts.write_text(f"{so_far}{os.getpid()}\n")
                kill_at(stage, int(nth))
        return sync_of_library(target, settings)

    # The package looks its names up when they are first used, and this is found before.
    vars(cloudflare_oauth_pipeline)["sync"] = sync
