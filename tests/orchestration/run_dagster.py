"""Runs the example for Dagster once, each op in a process of its own: `run_dagster FOLDER [FAILED RUN]`.

`FOLDER` is where Dagster keeps its runs; what failed in a run, by its id, is executed again. One shard may be
killed (`killed_shard`). It exits with 0 if the run succeeded.
"""

import sys

import dagster as dg
from orchestration import dagster_definitions as example

from tests.orchestration.killed_shard import kill_shard

# One op at a time, so that it is known which shards are loaded when one is killed.
ONE_AT_A_TIME = {"execution": {"config": {"multiprocess": {"max_concurrent": 1}}}}


def job() -> dg.JobDefinition:
    """A job like that of the schedule, as each process of the run loads it."""
    kill_shard()
    # The waits between attempts are for production.
    dg.RetryPolicy.calculate_delay = lambda *_: 0
    named = dg.define_asset_job("oauth_clients_job", [example.oauth_clients])
    return dg.Definitions([example.oauth_clients], jobs=[named]).resolve_job_def(named.name)


def run(folder: str, failed: str | None = None) -> bool:
    """Run the job, or what failed of a run; returns whether it succeeded."""
    with dg.DagsterInstance.local_temp(folder) as instance:
        again = dg.ReexecutionOptions.from_failure(failed, instance) if failed else None
        with dg.execute_job(
            dg.reconstructable(job),
            instance=instance,
            run_config=ONE_AT_A_TIME,
            reexecution_options=again,
        ) as result:
            return result.success


if __name__ == "__main__":
    # Dagster's processes import the module by its name.
    from tests.orchestration import run_dagster

    sys.exit(not run_dagster.run(*sys.argv[1:]))
