# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Which OAuth clients exist, which accounts own them, and what can they do?

Edit it with `marimo edit notebooks/inventory.py -- --db demo.duckdb`.
"""

import marimo

app = marimo.App(width="medium", app_title="Inventory of OAuth clients")

with app.setup:
    import marimo as mo
    import pandas as pd

    from cloudflare_oauth.records.tables import ARRAYS
    from cloudflare_oauth_pipeline.app import charts, client_page, components, frames

    # The browser loads all choices of the client filter together with the page.
    MOST_CHOICES = 1_000


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        accounts = data.frame("SELECT account_id, COALESCE(name, account_id) AS account FROM accounts")
        clients = data.frame("""
            SELECT c.account_id, COALESCE(a.name, c.account_id) AS account, c.client_id, c.client_name,
              COALESCE(c.client_name, c.client_id) AS client, c.visibility, c.token_endpoint_auth_method,
              c.client_uri_verification__status AS verification, c.created_at, c.updated_at, c.observed_at
            FROM oauth_clients AS c LEFT JOIN accounts AS a ON a.account_id = c.account_id
            ORDER BY account, client, c.client_id
        """)
        grants = data.frame("SELECT account_id, client_id, value FROM oauth_clients__grant_types")
        scopes = data.frame("SELECT account_id, client_id, value, writes FROM oauth_clients__scopes")
        catalogue = data.frame("SELECT id AS value, category FROM oauth_scopes")
        redirects = data.frame("""
            SELECT account_id, client_id,
              COALESCE(registrable_domain, CASE WHEN host_type IS NOT NULL THEN host END, scheme) AS domain
            FROM oauth_clients__redirect_uris
        """)
    accounts = frames.told_apart(accounts)
    clients = frames.told_apart(clients)
    components.begin(
        "inventory", "Which OAuth clients exist, which accounts own them, and what can they do?", data
    )
    return accounts, catalogue, clients, data, grants, redirects, scopes


@app.cell
def _(accounts, clients):
    chosen_accounts = mo.ui.multiselect(
        components.labelled(accounts["account_id"], accounts["account"]), label="Accounts"
    )
    chosen_visibility = mo.ui.multiselect(
        components.labelled(clients["visibility"].dropna(), clients["visibility"].dropna()),
        label="Visibility",
    )
    search = mo.ui.text(label="Name or id contains", debounce=True)
    mo.hstack([chosen_accounts, chosen_visibility, search], wrap=True, justify="start")
    return chosen_accounts, chosen_visibility, search


@app.cell
def _(chosen_accounts, chosen_visibility, clients, search):
    shown = clients
    if chosen_accounts.value:
        shown = shown[shown["account_id"].isin(chosen_accounts.value)]
    if chosen_visibility.value:
        shown = shown[shown["visibility"].isin(chosen_visibility.value)]
    if search.value:
        named = shown["client"] + "\n" + shown["client_id"]
        shown = shown[named.str.contains(search.value, case=False, regex=False)]
    return (shown,)


@app.cell
def _(accounts, catalogue, grants, redirects, scopes, shown):
    def of_shown(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.merge(shown[["account_id", "client_id"]], on=["account_id", "client_id"])

    shown_grants = of_shown(grants)
    shown_scopes = of_shown(scopes).merge(catalogue, on="value", how="left")
    # A client counts once per domain, however many redirect URIs it has there.
    shown_domains = of_shown(redirects).drop_duplicates()
    components.stack(
        components.facts(
            {
                "accounts": len(accounts),
                "clients": len(shown),
                "public clients": int((shown["visibility"] == "public").sum()),
                "clients with write scopes": len(
                    shown_scopes[shown_scopes["writes"].eq(True).fillna(False)]
                    .drop_duplicates(["account_id", "client_id"])
                    .index
                ),
            }
        ),
        charts.bars(frames.counted(shown, "account"), title="Clients by account", unit="clients"),
        charts.bars(
            frames.counted(shown, "visibility"),
            title="Clients by visibility (who can authorise them)",
            unit="clients",
        ),
        charts.bars(
            frames.counted(shown, "token_endpoint_auth_method"),
            title="Clients by authentication method",
            unit="clients",
        ),
        charts.bars(frames.counted(shown_grants, "value"), title="Clients by grant type", unit="clients"),
    )
    return shown_domains, shown_scopes


@app.cell
def _(shown_scopes):
    categories = frames.counted(shown_scopes, "category", missing="not in the catalogue")
    top_scopes = (
        shown_scopes.assign(category=shown_scopes["category"].fillna("not in the catalogue"))
        .groupby(["category", "value"], as_index=False)
        .agg(clients=("client_id", "size"), writes=("writes", "first"))
        .sort_values(["clients", "value"], ascending=[False, True])
    )
    components.stack(
        components.heading(
            "Scopes", "What clients can request, by category of Cloudflare's scope catalogue."
        ),
        charts.bars(categories, title="Scopes by category", unit="client scopes"),
        components.table(
            top_scopes,
            {"value": "scope", "category": "category", "writes": "grants write access", "clients": "clients"},
            nothing="No client has a scope.",
            limit=25,
        ),
    )
    return (top_scopes,)


@app.cell
def _(shown_domains):
    charts.bars(
        frames.counted(shown_domains, "domain", missing="no host"),
        title="Clients by redirect domain (where authorization codes are sent)",
        unit="clients",
    )
    return


@app.cell
def _(shown):
    components.stack(
        components.heading("Clients"),
        components.table(
            shown,
            {
                "client": "client",
                "account": "account",
                "visibility": "visibility",
                "token_endpoint_auth_method": "authentication method",
                "verification": "domain verification",
                "created_at": "created (UTC)",
                "updated_at": "updated (UTC)",
            },
            nothing="No client matches.",
        ),
    )
    return


@app.cell
def _(shown):
    _listed = shown.head(MOST_CHOICES)
    _keys = list(_listed[["account_id", "client_id"]].itertuples(index=False, name=None))
    _labels = _listed["client"] + " · " + _listed["account"]
    _limit = f" (the first {MOST_CHOICES:,} of {len(shown):,}; filter to find others)"
    chosen_client = mo.ui.dropdown(
        components.labelled(_keys, _labels),
        label="Client details" + (_limit if len(shown) > MOST_CHOICES else ""),
        searchable=True,
        full_width=True,
    )
    components.stack(chosen_client)
    return (chosen_client,)


@app.cell
def _(chosen_client):
    mo.stop(chosen_client.value is None)
    with frames.open_dataset(mo.cli_args()) as opened:
        one, arrays, history = client_page.one_client(opened, *chosen_client.value)
    components.stack(
        components.pairs(one | {name: arrays[name] for name in ARRAYS}),
        components.heading("Change history", level=3),
        components.table(
            history,
            {"observed_at": "observed (UTC)", "change": "change", "what": "details"},
            nothing="The change log has no entry for this client.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
