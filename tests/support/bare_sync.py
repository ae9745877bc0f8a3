"""The source in a plain dlt pipeline, without the command line, that may send itself a signal.

python bare_sync.py DB [STAGE NTH]
"""

import os
import sys

if __name__ == "__main__":
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    import dlt

    from cloudflare_oauth import cloudflare_oauth

    db, *killed = sys.argv[1:]
    if killed:
        from killed_sync import kill_at

        kill_at(killed[0], int(killed[1]))
    destination = dlt.destinations.duckdb(db)
    pipeline = dlt.pipeline("bare", destination=destination, dataset_name="cloudflare")
    # After a failed load dlt's run does nothing but load what that one left over.
    if pipeline.has_pending_data:
        pipeline.load()
    pipeline.run(cloudflare_oauth())
