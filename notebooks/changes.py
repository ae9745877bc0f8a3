# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""What has changed, when, and who has gained power?

Change it: `marimo edit notebooks/changes.py -- --db demo.duckdb`
"""

import marimo

app = marimo.App(width="medium", app_title="Changes of OAuth clients")

with app.setup:
    from datetime import timedelta

    import marimo as mo

    from cloudflare_oauth_pipeline.app import components as page
    from cloudflare_oauth_pipeline.app import frames

    DAYS = 30
    COLOURS = {"created": "#2f855a", "updated": "#3182ce", "deleted": "#c05621"}
    WHO = {"observed_at": "seen (UTC)", "client": "client", "account": "account"}


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        log = data.frame("""
            SELECT l.change_id, l.observed_at, l.account_id, COALESCE(a.name, l.account_id) AS account,
              l.client_id, COALESCE(l.client_name, l.client_id) AS client, l.change,
              l.write_scopes_added, l.redirect_domains_added, l.became_public
            FROM oauth_client_changes AS l LEFT JOIN accounts AS a ON a.account_id = l.account_id
            ORDER BY l.observed_at DESC, account, client, l.client_id
        """)
    log = frames.told_apart(log)
    page.begin("changes", "What has changed, when, and who has gained power?", data)
    return (log,)


@app.cell
def _(log):
    mo.stop(log.empty, page.note("Nothing has been logged yet."))
    first, last = log["observed_at"].min().date(), log["observed_at"].max().date()
    days = mo.ui.date_range(
        start=first,
        stop=last,
        value=(max(first, last - timedelta(days=DAYS)), last),
        label="Days (UTC)",
    )
    chosen_accounts = mo.ui.multiselect(page.labelled(log["account_id"], log["account"]), label="Accounts")
    mo.hstack([days, chosen_accounts], wrap=True, justify="start")
    return chosen_accounts, days


@app.cell
def _(chosen_accounts, days, log):
    _day = log["observed_at"].dt.date
    in_range = log[(_day >= days.value[0]) & (_day <= days.value[1])]
    if chosen_accounts.value:
        in_range = in_range[in_range["account_id"].isin(chosen_accounts.value)]
    # What an account's first complete sync found is where the log begins, not a change.
    changed = in_range[in_range["change"] != "baseline"]
    return changed, in_range


@app.cell
def _(changed, days, in_range):
    by_day = (
        changed.assign(day=changed["observed_at"].dt.date, name=changed["change"])
        .groupby(["day", "name"], as_index=False)
        .size()
        .rename(columns={"size": "count"})
    )
    kinds = {name: int((changed["change"] == name).sum()) for name in COLOURS}
    _busiest = changed["observed_at"].dt.date.value_counts()
    _words = ", ".join(f"{count} {name}" for name, count in kinds.items())
    if len(_busiest):
        _words += f"; most on {_busiest.index[0]}, {_busiest.iloc[0]} changes"
    page.stack(
        page.facts(kinds | {"found at first": int((in_range["change"] == "baseline").sum())}),
        page.timeline(
            by_day,
            title=f"Changes from {days.value[0]} to {days.value[1]}",
            unit="changes",
            colours=COLOURS,
            words=f"{_words}.",
        ),
    )
    return by_day, kinds


@app.cell
def _(changed):
    gained = frames.elements(changed, "write_scopes_added")
    page.stack(
        page.heading("Who gained the power to write", "Each scope that was not there before."),
        page.table(gained, WHO | {"write_scopes_added": "new scope"}, nothing="Nobody, in these days."),
    )
    return (gained,)


@app.cell
def _(changed):
    new_domains = frames.elements(changed, "redirect_domains_added")
    page.stack(
        page.heading("New redirect domains", "Codes go to somebody who did not get them before."),
        page.table(
            new_domains, WHO | {"redirect_domains_added": "new domain"}, nothing="None, in these days."
        ),
    )
    return (new_domains,)


@app.cell
def _(changed):
    became_public = changed[changed["became_public"].eq(True).fillna(False).astype(bool)]
    page.stack(
        page.heading("Made public", "Any Cloudflare user may authorise these; it cannot be undone."),
        page.table(became_public, WHO, nothing="None, in these days."),
    )
    return (became_public,)


@app.cell
def _(changed):
    # The documents are read of what is shown only: there may be hundreds of thousands.
    latest = changed.head(page.MOST_ROWS)
    with frames.open_dataset(mo.cli_args()) as opened:
        latest = frames.with_words(frames.with_documents(opened, latest))
    page.stack(
        page.heading("Every change, the latest first"),
        page.note(f"The latest {page.MOST_ROWS} of {len(changed):,}; choose fewer days for the others.")
        if len(changed) > len(latest)
        else page.stack(),
        page.table(latest, WHO | {"change": "change", "what": "what"}, nothing="None, in these days."),
    )
    return (latest,)


if __name__ == "__main__":
    app.run()
