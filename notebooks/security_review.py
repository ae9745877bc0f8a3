# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Which OAuth clients are dangerous, why, and how can each finding be fixed?

Edit it with `marimo edit notebooks/security_review.py -- --db demo.duckdb`.
"""

import marimo

app = marimo.App(width="medium", app_title="Security review of OAuth clients")

with app.setup:
    import marimo as mo
    import pandas as pd

    from cloudflare_oauth_pipeline.analysis.rules import SEVERITIES, load_rules
    from cloudflare_oauth_pipeline.app import charts, components, frames

    # Findings beyond this number can be found with the filters.
    MOST_PER_RULE = 50
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
    # The worst first, because long tables are cut.
    findings = frames.told_apart(findings).sort_values(
        "severity", key=lambda severities: -severities.map(SEVERITIES.index), kind="stable"
    )
    components.begin(
        "security_review", "Which OAuth clients are dangerous, why, and how can each finding be fixed?", data
    )
    return coverage, findings


@app.cell
def _(findings):
    chosen_accounts = mo.ui.multiselect(
        components.labelled(findings["account_id"], findings["account"]), label="Accounts"
    )
    least = mo.ui.dropdown(WORST_FIRST, value="low", label="Minimum severity", allow_select_none=False)
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
    components.stack(
        components.facts(
            {"open findings": len(open_findings)}
            | dict(severities.itertuples(index=False, name=None))
            | {"waived": len(waived)}
        ),
        charts.bars(severities, title="Findings by severity", unit="findings", order=WORST_FIRST),
        charts.bars(by_rule, title="Findings by rule", unit="findings", most=40),
        charts.bars(
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
    components.stack(
        components.heading("Riskiest clients", "Sorted by highest severity, then by number of findings."),
        components.table(
            worst_clients,
            {
                "worst": "highest severity",
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
    def about(rule) -> components.Fragment:
        found = open_findings[open_findings["rule_id"] == rule.id]
        return components.stack(
            components.heading(
                f"{rule.id} {rule.title}",
                f"Risk: {rule.risk}",
                f"Remediation: {rule.remediation}",
                f"Reference: {rule.reference}",
                level=3,
            ),
            components.table(
                found,
                {
                    "severity": "severity",
                    "client": "client",
                    "account": "account",
                    "subject": "subject",
                    "detail": "detail",
                },
                nothing="",
                limit=MOST_PER_RULE,
            ),
        )

    # Of what the rules have found, not of what they could find.
    _worst = open_findings["severity"].map(SEVERITIES.index).groupby(open_findings["rule_id"]).max()
    _fired = sorted(
        (rule for rule in load_rules() if rule.id in _worst.index),
        key=lambda rule: (-_worst[rule.id], rule.id),
    )
    components.stack(
        components.heading("Findings and remediation", "" if _fired else "There are no open findings."),
        *map(about, _fired),
    )
    return


@app.cell
def _(waived):
    components.stack(
        components.heading("Waived findings", "Accepted risks, as listed in waivers.toml."),
        components.table(
            waived,
            {
                "rule_id": "rule",
                "severity": "severity",
                "client": "client",
                "account": "account",
                "subject": "subject",
                "waived_reason": "reason",
            },
            nothing="No finding is waived.",
        ),
    )
    return


@app.cell
def _(coverage):
    unknown = coverage[coverage["not_evaluable"] > 0] if len(coverage) else coverage
    components.stack(
        components.heading(
            "Gaps in rule coverage", "A rule cannot evaluate a client that lacks the data it requires."
        ),
        components.table(
            unknown,
            {
                "rule_id": "rule",
                "title": "title",
                "clients": "clients",
                "not_evaluable": "not evaluable",
            },
            nothing="Every rule could evaluate every client.",
        ),
    )
    return


if __name__ == "__main__":
    app.run()
