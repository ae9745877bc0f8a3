"""Run the source in a plain dlt pipeline, without the command line, and optionally kill it at a stage.

python -m tests.support.bare_sync DB [STAGE NTH]

`STAGE` and `NTH` are those of `killed_sync`.
"""

import os
import sys

if __name__ == "__main__":
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    db, *killed = sys.argv[1:]
    if killed:
        from tests.support.killed_sync import kill_at

        # Before the source takes its own reference to a function.
        kill_at(killed[0], int(killed[1]))
    import dlt

    from cloudflare_oauth import cloudflare_oauth

    destination = dlt.destinations.duckdb(db)
    pipeline = dlt.pipeline("bare", destination=destination, dataset_name="cloudflare")
    # With a pending package, dlt's `run` would load only that package.
    if pipeline.has_pending_data:
        pipeline.load()
    pipeline.run(cloudflare_oauth())
