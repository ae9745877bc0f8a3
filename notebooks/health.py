# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Can every account be read? If not, why, and since when?

Edit it with `marimo edit notebooks/health.py -- --db demo.duckdb`.
"""

import marimo

app = marimo.App(width="medium", app_title="Health of the inventory")

with app.setup:
    import marimo as mo

    from cloudflare_oauth_pipeline.app import charts, components, frames

    RECENT = 30


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        health = data.frame("""
            SELECT account_id, COALESCE(account_name, account_id) AS account,
              COALESCE(status, 'never attempted') AS status, finished_at, http_status, error_code,
              error_message, client_count, deletes_withheld, rejected, last_complete_at
            FROM account_health ORDER BY account, account_id
        """)
        failing_since = data.frame("""
            SELECT h.account_id, MIN(s.started_at) AS since, COUNT(*) AS attempts
            FROM account_health AS h JOIN account_syncs AS s ON s.account_id = h.account_id
            WHERE s.status <> 'complete' AND NOT EXISTS (
              SELECT 1 FROM account_syncs AS c
              WHERE c.account_id = s.account_id AND c.status = 'complete'
                AND (COALESCE(c.sync_number, 0), c.finished_at) > (COALESCE(s.sync_number, 0), s.finished_at)
            )
            GROUP BY h.account_id
        """)
        syncs = data.frame("""
            SELECT sync_id, MIN(started_at) AS started, MAX(finished_at) AS finished, COUNT(*) AS accounts,
              SUM(CASE WHEN status = 'complete' THEN 0 ELSE 1 END) AS not_complete,
              SUM(requests) AS requests, SUM(retries) AS retries,
              COALESCE(SUM(waited_seconds), 0) AS waited, SUM(listed) AS listed
            FROM account_syncs GROUP BY sync_id ORDER BY COALESCE(MAX(sync_number), 0) DESC, sync_id DESC
        """)
        # If every value is whole, the column would be one of integers, and shown without a decimal.
        syncs["waited"] = syncs["waited"].astype("Float64")
        # Includes waits for the rate limit.
        syncs["seconds"] = (syncs["finished"] - syncs["started"]).dt.total_seconds() if len(syncs) else None
        rejected = data.frame("""
            SELECT observed_at, account_id, table_name, reason FROM rejected_rows ORDER BY observed_at DESC
        """)
    health = frames.told_apart(health)
    components.begin("health", "Can every account be read? If not, why, and since when?", data)
    return failing_since, health, rejected, syncs


@app.cell
def _(failing_since, health):
    unread = health[health["status"] != "complete"].merge(failing_since, on="account_id", how="left")
    components.stack(
        components.facts(
            {
                "accounts": len(health),
                "read in full": int((health["status"] == "complete").sum()),
                "not read in full": len(unread),
                "clients kept in accounts not read in full": int(unread["client_count"].fillna(0).sum()),
            }
        ),
        charts.bars(
            frames.counted(health, "status"), title="Accounts by status of their last sync", unit="accounts"
        ),
        components.heading(
            "Accounts that could not be read in full", "All their clients are kept unchanged."
        ),
        components.table(
            unread,
            {
                "account": "account",
                "status": "status",
                "error_message": "reason and remedy",
                "since": "failing since (UTC)",
                "attempts": "failed attempts since then",
                "last_complete_at": "last read in full (UTC)",
                "client_count": "clients kept",
                "deletes_withheld": "deletions withheld",
            },
            nothing="None: the last sync read every account in full."
            if len(health)
            else "There are no accounts yet.",
        ),
    )
    return (unread,)


@app.cell
def _(syncs):
    recent = syncs.head(RECENT)
    _named = recent.iloc[::-1].assign(name=lambda syncs: syncs["started"].astype("string").str.slice(0, 19))
    _per_sync = frames.told_apart(_named, name="name", id="sync_id").rename(columns={"requests": "count"})
    _least, _most = (recent["requests"].min(), recent["requests"].max()) if len(recent) else (0, 0)
    components.stack(
        components.heading("Recent syncs"),
        charts.bars(
            _per_sync,
            title=f"Requests per sync to read accounts, last {RECENT} syncs",
            unit="requests",
            most=RECENT,
            words=f"{len(recent)} syncs with {_least} to {_most} requests each; the table below lists them.",
        ),
        components.table(
            recent,
            {
                "started": "started (UTC)",
                "seconds": "duration in seconds, waits included",
                "accounts": "accounts",
                "not_complete": "accounts not read in full",
                "requests": "requests",
                "retries": "retries",
                "waited": "rate limit waits in seconds, all requests",
                "listed": "clients listed",
            },
            nothing="No sync has run yet.",
        ),
    )
    return (recent,)


@app.cell
def _(health, rejected):
    components.stack(
        components.heading("Rows that could not be loaded, or not with all of their fields"),
        components.table(
            rejected.merge(health[["account_id", "account"]], on="account_id", how="left"),
            {
                "observed_at": "observed (UTC)",
                "account": "account",
                "table_name": "target table",
                "reason": "reason",
            },
            nothing="No rows were rejected.",
        ),
    )
    return


@app.cell
def _(health):
    components.stack(
        components.heading("All accounts"),
        components.table(
            health,
            {
                "account": "account",
                "account_id": "id",
                "status": "status",
                "finished_at": "last attempt (UTC)",
                "last_complete_at": "last read in full (UTC)",
                "client_count": "clients",
            },
            nothing="There are no accounts yet.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
