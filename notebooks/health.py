# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Can all accounts be read, and if not, why not, and since when?

Change it: `marimo edit notebooks/health.py -- --db demo.duckdb`
"""

import marimo

app = marimo.App(width="medium", app_title="Health of the inventory")

with app.setup:
    import marimo as mo

    from cloudflare_oauth_pipeline.app import components as page
    from cloudflare_oauth_pipeline.app import frames

    RECENT = 30


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        health = data.frame("""
            SELECT account_id, COALESCE(account_name, account_id) AS account,
              COALESCE(status, 'never tried') AS status, finished_at, http_status, error_code, error_message,
              client_count, deletes_withheld, rejected, last_complete_at
            FROM account_health ORDER BY account, account_id
        """)
        failing_since = data.frame("""
            SELECT h.account_id, MIN(s.started_at) AS since, COUNT(*) AS attempts
            FROM account_health AS h JOIN account_syncs AS s ON s.account_id = h.account_id
            WHERE s.status <> 'complete'
              AND (h.last_complete_at IS NULL OR s.finished_at > h.last_complete_at)
            GROUP BY h.account_id
        """)
        syncs = data.frame("""
            SELECT sync_id, MIN(started_at) AS started, MAX(finished_at) AS finished, COUNT(*) AS accounts,
              SUM(CASE WHEN status = 'complete' THEN 0 ELSE 1 END) AS not_complete,
              SUM(requests) AS requests, SUM(retries) AS retries,
              COALESCE(SUM(waited_seconds), 0) AS waited, SUM(listed) AS listed
            FROM account_syncs GROUP BY sync_id ORDER BY sync_id DESC
        """)
        # Waiting for the quota included.
        syncs["seconds"] = (syncs["finished"] - syncs["started"]).dt.total_seconds() if len(syncs) else None
        rejected = data.frame("""
            SELECT observed_at, account_id, table_name, reason FROM rejected_rows ORDER BY observed_at DESC
        """)
    health = frames.told_apart(health)
    page.begin("health", "Can all accounts be read, and if not, why not, and since when?", data)
    return failing_since, health, rejected, syncs


@app.cell
def _(failing_since, health):
    unread = health[health["status"] != "complete"].merge(failing_since, on="account_id", how="left")
    page.stack(
        page.facts(
            {
                "accounts": len(health),
                "read completely": int((health["status"] == "complete").sum()),
                "not read completely": len(unread),
                "clients kept of those": int(unread["client_count"].fillna(0).sum()),
            }
        ),
        page.bars(frames.counted(health, "status"), title="What came of the last sync", unit="accounts"),
        page.heading(
            "Accounts that could not be read completely", "All their clients are kept as they were."
        ),
        page.table(
            unread,
            {
                "account": "account",
                "status": "status",
                "error_message": "why, and what to do",
                "since": "since (UTC)",
                "attempts": "attempts since",
                "last_complete_at": "last read completely (UTC)",
                "client_count": "clients kept",
                "deletes_withheld": "deletions withheld",
            },
            nothing="There is none: the last sync read every account completely."
            if len(health)
            else "There is no account yet.",
        ),
    )
    return (unread,)


@app.cell
def _(syncs):
    recent = syncs.head(RECENT)
    _named = recent.iloc[::-1].assign(name=lambda syncs: syncs["started"].astype("string").str.slice(0, 19))
    _per_sync = frames.told_apart(_named, name="name", id="sync_id").rename(columns={"requests": "count"})
    _least, _most = (recent["requests"].min(), recent["requests"].max()) if len(recent) else (0, 0)
    page.stack(
        page.heading("Recent syncs"),
        page.bars(
            _per_sync,
            title=f"Requests for accounts, of the last {RECENT} syncs",
            unit="requests",
            most=RECENT,
            words=f"{len(recent)} syncs of {_least} to {_most} requests; the table has them one by one.",
        ),
        page.table(
            recent,
            {
                "started": "started (UTC)",
                "seconds": "seconds, waiting included",
                "accounts": "accounts",
                "not_complete": "not complete",
                "requests": "requests",
                "retries": "retries",
                "waited": "seconds that requests waited for the quota, together",
                "listed": "clients listed",
            },
            nothing="There has been no sync yet.",
        ),
    )
    return (recent,)


@app.cell
def _(health, rejected):
    page.stack(
        page.heading("Rows that could not be loaded"),
        page.table(
            rejected.merge(health[["account_id", "account"]], on="account_id", how="left"),
            {
                "observed_at": "seen (UTC)",
                "account": "account",
                "table_name": "meant for",
                "reason": "why",
            },
            nothing="There are none.",
        ),
    )
    return


@app.cell
def _(health):
    page.stack(
        page.heading("All accounts"),
        page.table(
            health,
            {
                "account": "account",
                "account_id": "id",
                "status": "status",
                "finished_at": "last tried (UTC)",
                "last_complete_at": "last read completely (UTC)",
                "client_count": "clients",
            },
            nothing="There is no account yet.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
