"""Runs the example for Airflow once, in a process of its own: `run_airflow [SHARD THAT FAILS]`.

One shard may be killed (`killed_shard`), and the process with it. It exits with 0 if the run succeeded.
"""

import sys
from datetime import timedelta
from typing import Any

from orchestration import airflow_dag as example

import cloudflare_oauth_pipeline
from tests.orchestration.killed_shard import kill_shard


def break_sync(failing: str) -> None:
    """Let the sync of this shard fail, and say how often it was tried."""
    sync_of_library = cloudflare_oauth_pipeline.sync

    def sync(target: Any, settings: Any) -> Any:
        if target.pipeline_name == failing:
            print("attempt to sync", failing, flush=True)
            raise OSError("no room")
        return sync_of_library(target, settings)

    # The module looks its names up when they are first used, and this is found before.
    vars(cloudflare_oauth_pipeline)["sync"] = sync


if __name__ == "__main__":
    if sys.argv[1:]:
        break_sync(sys.argv[1])
    kill_shard()
    dag = example.oauth_clients()
    dag.get_task("sync_shard").partial_kwargs["retry_delay"] = timedelta(0)
    sys.exit(dag.test().state != "success")
