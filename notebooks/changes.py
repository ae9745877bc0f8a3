# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""What changed, when, and which clients gained access?

Edit it with `marimo edit notebooks/changes.py -- --db demo.duckdb`.
"""

import marimo

app = marimo.App(width="medium", app_title="Changes of OAuth clients")

with app.setup:
    from datetime import timedelta

    import marimo as mo

    from cloudflare_oauth_pipeline.app import charts, client_page, components, frames

    DAYS = 30
    COLOURS = {"created": "#2f855a", "updated": "#3182ce", "deleted": "#c05621"}
    CLIENT_COLUMNS = {"observed_at": "observed (UTC)", "client": "client", "account": "account"}


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        log = data.frame("""
            SELECT l.change_id, l.observed_at, l.account_id, COALESCE(a.name, l.account_id) AS account,
              l.client_id, COALESCE(l.client_name, l.client_id) AS client, l.change, l.previous_change_id,
              l.write_scopes_added, l.redirect_domains_added, l.became_public
            FROM oauth_client_changes AS l LEFT JOIN accounts AS a ON a.account_id = l.account_id
        """)
    log = frames.told_apart(client_page.latest_first(log))
    components.begin("changes", "What changed, when, and which clients gained access?", data)
    return (log,)


@app.cell
def _(log):
    mo.stop(log.empty, components.note("The change log is empty."))
    first, last = log["observed_at"].min().date(), log["observed_at"].max().date()
    days = mo.ui.date_range(
        start=first,
        stop=last,
        value=(max(first, last - timedelta(days=DAYS)), last),
        label="Dates (UTC)",
    )
    chosen_accounts = mo.ui.multiselect(
        components.labelled(log["account_id"], log["account"]), label="Accounts"
    )
    mo.hstack([days, chosen_accounts], wrap=True, justify="start")
    return chosen_accounts, days


@app.cell
def _(chosen_accounts, days, log):
    _day = log["observed_at"].dt.date
    in_range = log[(_day >= days.value[0]) & (_day <= days.value[1])]
    if chosen_accounts.value:
        in_range = in_range[in_range["account_id"].isin(chosen_accounts.value)]
    # The first complete sync of an account records its clients as a baseline, which is not a change.
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
        _words += f"; busiest day {_busiest.index[0]} with {_busiest.iloc[0]} changes"
    components.stack(
        components.facts(kinds | {"baseline (first sync)": int((in_range["change"] == "baseline").sum())}),
        charts.timeline(
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
    components.stack(
        components.heading("Write access gained", "Each write scope that a client did not have before."),
        components.table(
            gained,
            CLIENT_COLUMNS | {"write_scopes_added": "new scope"},
            nothing="No client gained a write scope in this period.",
        ),
    )
    return (gained,)


@app.cell
def _(changed):
    new_domains = frames.elements(changed, "redirect_domains_added")
    components.stack(
        components.heading(
            "New redirect domains",
            "Authorization codes can now reach domains that did not receive them before.",
        ),
        components.table(
            new_domains,
            CLIENT_COLUMNS | {"redirect_domains_added": "new domain"},
            nothing="No redirect domains were added in this period.",
        ),
    )
    return (new_domains,)


@app.cell
def _(changed):
    became_public = changed[changed["became_public"].eq(True).fillna(False).astype(bool)]
    components.stack(
        components.heading(
            "Made public", "Any Cloudflare user can authorise these clients. This cannot be undone."
        ),
        components.table(became_public, CLIENT_COLUMNS, nothing="No client was made public in this period."),
    )
    return (became_public,)


@app.cell
def _(changed):
    # There may be hundreds of thousands of changes: documents are read only for the rows shown.
    latest = changed.head(components.MOST_ROWS)
    with frames.open_dataset(mo.cli_args()) as opened:
        latest = client_page.with_words(client_page.with_documents(opened, latest))
    components.stack(
        components.heading("All changes, latest first"),
        components.note(
            f"The latest {components.MOST_ROWS} of {len(changed):,} changes; choose fewer days to see others."
        )
        if len(changed) > len(latest)
        else components.stack(),
        components.table(
            latest,
            CLIENT_COLUMNS | {"change": "change", "what": "details"},
            nothing="No changes in this period.",
        ),
    )
    return (latest,)


if __name__ == "__main__":
    app.run()
