# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Which OAuth clients are there, whose are they, and what may they do?

Change it: `marimo edit notebooks/inventory.py -- --db demo.duckdb`
"""

import marimo

app = marimo.App(width="medium", app_title="Inventory of OAuth clients")

with app.setup:
    import marimo as mo
    import pandas as pd

    from cloudflare_oauth.records.tables import ARRAYS
    from cloudflare_oauth_pipeline.app import components as page
    from cloudflare_oauth_pipeline.app import frames

    # The browser gets them all before anybody has looked for one.
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
            SELECT account_id, client_id, COALESCE(registrable_domain, host, scheme) AS domain
            FROM oauth_clients__redirect_uris
        """)
    accounts = frames.told_apart(accounts)
    clients = frames.told_apart(clients)
    page.begin("inventory", "Which OAuth clients are there, whose are they, and what may they do?", data)
    return accounts, catalogue, clients, data, grants, redirects, scopes


@app.cell
def _(accounts, clients):
    chosen_accounts = mo.ui.multiselect(
        page.labelled(accounts["account_id"], accounts["account"]), label="Accounts"
    )
    chosen_visibility = mo.ui.multiselect(
        page.labelled(clients["visibility"].dropna(), clients["visibility"].dropna()), label="Visibility"
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
    # A client counts once for a domain, however many redirects it has there.
    shown_domains = of_shown(redirects).drop_duplicates()
    page.stack(
        page.facts(
            {
                "accounts": len(accounts),
                "clients": len(shown),
                "of them public": int((shown["visibility"] == "public").sum()),
                "that may write": len(
                    shown_scopes[shown_scopes["writes"].eq(True).fillna(False)]
                    .drop_duplicates(["account_id", "client_id"])
                    .index
                ),
            }
        ),
        page.bars(frames.counted(shown, "account"), title="Clients by account", unit="clients"),
        page.bars(frames.counted(shown, "visibility"), title="Who may authorise them", unit="clients"),
        page.bars(
            frames.counted(shown, "token_endpoint_auth_method"),
            title="How they authenticate",
            unit="clients",
        ),
        page.bars(frames.counted(shown_grants, "value"), title="Grant types", unit="clients"),
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
    page.stack(
        page.heading("Scopes", "What the clients may ask for, by the category of Cloudflare's catalogue."),
        page.bars(categories, title="Scopes by category", unit="scopes of clients"),
        page.table(
            top_scopes,
            {"value": "scope", "category": "category", "writes": "may write", "clients": "clients"},
            nothing="No client has a scope.",
            limit=25,
        ),
    )
    return (top_scopes,)


@app.cell
def _(shown_domains):
    page.bars(
        frames.counted(shown_domains, "domain", missing="no host"),
        title="Domains that authorization codes are sent to",
        unit="clients",
    )
    return


@app.cell
def _(shown):
    page.stack(
        page.heading("Clients"),
        page.table(
            shown,
            {
                "client": "client",
                "account": "account",
                "visibility": "visibility",
                "token_endpoint_auth_method": "authenticates by",
                "verification": "domain",
                "created_at": "created (UTC)",
                "updated_at": "updated (UTC)",
            },
            nothing="There is no such client.",
        ),
    )
    return


@app.cell
def _(shown):
    _listed = shown.head(MOST_CHOICES)
    _keys = list(_listed[["account_id", "client_id"]].itertuples(index=False, name=None))
    _labels = _listed["client"] + " · " + _listed["account"]
    _limit = f" (the first {MOST_CHOICES:,} of {len(shown):,}; filter for another)"
    chosen_client = mo.ui.dropdown(
        page.labelled(_keys, _labels),
        label="One client in full" + (_limit if len(shown) > MOST_CHOICES else ""),
        searchable=True,
        full_width=True,
    )
    page.stack(chosen_client)
    return (chosen_client,)


@app.cell
def _(chosen_client):
    mo.stop(chosen_client.value is None)
    with frames.open_dataset(mo.cli_args()) as opened:
        one, arrays, history = frames.one_client(opened, *chosen_client.value)
    page.stack(
        page.pairs(one | {name: arrays[name] for name in ARRAYS}),
        page.heading("Its history", level=3),
        page.table(
            history,
            {"observed_at": "seen (UTC)", "change": "change", "what": "what"},
            nothing="The change log has nothing of it.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
