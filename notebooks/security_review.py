# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Which OAuth clients are dangerous, why, and what should be done?

Change it: `marimo edit notebooks/security_review.py -- --db demo.duckdb`
"""

import marimo

app = marimo.App(width="medium", app_title="Security review of OAuth clients")

with app.setup:
    import marimo as mo
    import pandas as pd

    from cloudflare_oauth_pipeline.analysis.rules import SEVERITIES, load_rules
    from cloudflare_oauth_pipeline.app import components as page
    from cloudflare_oauth_pipeline.app import frames

    # Of more, the filters show the others.
    MOST_OF_A_RULE = 50
    WORST_FIRST = list(reversed(SEVERITIES))


@app.cell
def _():
    with frames.open_dataset(mo.cli_args()) as data:
        findings = data.frame("""
            SELECT f.rule_id, f.severity, f.account_id, COALESCE(a.name, f.account_id) AS account,
              f.client_id, COALESCE(f.client_name, f.client_id) AS client, f.subject, f.detail,
              f.waived, f.waived_reason
            FROM oauth_client_findings AS f LEFT JOIN accounts AS a ON a.account_id = f.account_id
            ORDER BY f.rule_id, account, client, f.client_id, f.subject
        """)
        coverage = data.frame("""
            SELECT rule_id, title, clients, not_evaluable, findings FROM oauth_rule_coverage ORDER BY rule_id
        """)
    findings = frames.told_apart(findings)
    page.begin("security_review", "Which OAuth clients are dangerous, why, and what should be done?", data)
    return coverage, findings


@app.cell
def _(findings):
    chosen_accounts = mo.ui.multiselect(
        page.labelled(findings["account_id"], findings["account"]), label="Accounts"
    )
    least = mo.ui.dropdown(WORST_FIRST, value="low", label="At least", allow_select_none=False)
    mo.hstack([chosen_accounts, least], wrap=True, justify="start")
    return chosen_accounts, least


@app.cell
def _(chosen_accounts, findings, least):
    shown = findings[findings["severity"].isin(SEVERITIES[SEVERITIES.index(least.value) :])]
    if chosen_accounts.value:
        shown = shown[shown["account_id"].isin(chosen_accounts.value)]
    is_waived = shown["waived"].eq(True).fillna(False).astype(bool)
    open_findings, waived = shown[~is_waived], shown[is_waived]
    return open_findings, waived


@app.cell
def _(open_findings, waived):
    counts = open_findings["severity"].value_counts()
    severities = pd.DataFrame({"name": WORST_FIRST, "count": [counts.get(name, 0) for name in WORST_FIRST]})
    titles = {rule.id: f"{rule.id} {rule.title}" for rule in load_rules()}
    by_rule = frames.counted(open_findings.assign(rule=open_findings["rule_id"].map(titles)), "rule")
    page.stack(
        page.facts(
            {"open findings": len(open_findings)}
            | dict(severities.itertuples(index=False, name=None))
            | {"waived": len(waived)}
        ),
        page.bars(severities, title="Findings by severity", unit="findings", order=WORST_FIRST),
        page.bars(by_rule, title="Findings by rule", unit="findings", most=40),
        page.bars(
            frames.counted(open_findings, "account"), title="Findings by account", unit="findings", most=25
        ),
    )
    return by_rule, severities


@app.cell
def _(open_findings):
    worst_clients = (
        open_findings.assign(rank=open_findings["severity"].map(SEVERITIES.index))
        .groupby(["account_id", "client_id", "account", "client"], as_index=False, dropna=False)
        .agg(rank=("rank", "max"), findings=("rule_id", "size"), rules=("rule_id", frames.distinct))
        .sort_values(["rank", "findings", "client"], ascending=[False, False, True])
    )
    worst_clients["worst"] = worst_clients["rank"].map(lambda rank: SEVERITIES[rank])
    page.stack(
        page.heading("The worst clients", "By their worst finding, then by how many they have."),
        page.table(
            worst_clients,
            {
                "worst": "worst",
                "findings": "findings",
                "client": "client",
                "account": "account",
                "rules": "rules",
            },
            nothing="No client has an open finding.",
            limit=20,
        ),
    )
    return (worst_clients,)


@app.cell
def _(open_findings):
    def about(rule) -> page.Fragment:
        found = open_findings[open_findings["rule_id"] == rule.id]
        return page.stack(
            page.heading(
                f"{rule.id} {rule.title}",
                f"Why: {rule.why}",
                f"To mend it: {rule.mend}",
                f"See {rule.reference}.",
                level=3,
            ),
            page.table(
                found,
                {
                    "severity": "severity",
                    "client": "client",
                    "account": "account",
                    "subject": "what",
                    "detail": "why",
                },
                nothing="",
                limit=MOST_OF_A_RULE,
            ),
        )

    _fired = sorted(
        (rule for rule in load_rules() if (open_findings["rule_id"] == rule.id).any()),
        key=lambda rule: (-max(map(SEVERITIES.index, rule.severities)), rule.id),
    )
    page.stack(
        page.heading("Each finding, and how to mend it", "" if _fired else "Nothing is open."),
        *map(about, _fired),
    )
    return


@app.cell
def _(waived):
    page.stack(
        page.heading("Waived", "What somebody has decided to live with, in waivers.toml."),
        page.table(
            waived,
            {
                "rule_id": "rule",
                "severity": "severity",
                "client": "client",
                "account": "account",
                "subject": "what",
                "waived_reason": "reason",
            },
            nothing="Nothing is waived.",
        ),
    )
    return


@app.cell
def _(coverage):
    unknown = coverage[coverage["not_evaluable"] > 0] if len(coverage) else coverage
    page.stack(
        page.heading(
            "What the rules cannot see", "Of a client that lacks what a rule needs, it says nothing."
        ),
        page.table(
            unknown,
            {
                "rule_id": "rule",
                "title": "looks for",
                "clients": "clients",
                "not_evaluable": "it says nothing of",
            },
            nothing="Every rule could judge every client.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
