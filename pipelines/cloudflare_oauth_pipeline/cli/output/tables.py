"""The tables that the commands print for users."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ...analysis.change_text import in_words
from ...analysis.rules import SEVERITIES, load_rules
from ...destinations.target import Target
from ...run.summary import Summary
from ...safe_text import printable_lines
from .console import ProblemsOfAccounts, complain, stderr, stdout, table

if TYPE_CHECKING:
    from ...analysis.findings import Findings
    from ...run.access_check import Access
    from ...run.shards import Account

_MOST_WAIVERS = 5


def print_summary(summary: Summary, target: Target, *, dry_run: bool = False) -> None:
    """What a sync came to."""
    console = stdout()
    accounts = [(status, count) for status, count in sorted(summary.accounts.items())]
    changes = ("baseline", "created", "updated", "deleted", "unchanged", "rejected")
    clients = [(name, summary.clients[name]) for name in ("listed", *changes)]
    rows = [("accounts", name, count) for name, count in accounts]
    rows += [("clients", name, count) for name, count in clients if count or name == "listed"]
    rows += [("requests", "made", summary.requests)]
    rows += [("requests", "retried", summary.retries)] if summary.retries else []
    console.print(f"Sync {summary.sync_id}: {summary.status}")
    console.print(table(("", "", "count"), rows))
    waited = f", {summary.waited_seconds:.0f} s of it waiting" if summary.waited_seconds else ""
    if dry_run:
        console.print("A dry run: nothing was written.")
    console.print(f"{target}: {summary.duration_seconds:.1f} s{waited}")


def print_changes(rows: Sequence[dict[str, Any]], account_names: dict[str, str]) -> None:
    """The change log, a line for each thing that changed."""
    lines = [
        (
            f"{row['observed_at']:%Y-%m-%d %H:%M}",
            printable_lines(
                [
                    row["client_name"] or row["client_id"],
                    account_names.get(row["account_id"], row["account_id"]),
                ]
            ),
            row["change"],
            printable_lines(in_words(row)),
        )
        for row in rows
    ]
    console = stdout()
    if lines:
        console.print(table(("seen (UTC)", "client, account", "change", "what"), lines))
    console.print(f"{len(lines)} changes" if lines else "no changes")


def print_findings(found: "Findings") -> None:
    """Print the findings, the worst first, then the risk and the remediation of each rule that fired."""
    console = stdout()
    open_rows = [row for row in found.rows if not row["waived"]]
    waived_rows = [row for row in found.rows if row["waived"]]
    columns = ("severity", "rule", "client, account", "what, why")
    if open_rows:
        console.print(table(columns, [_finding(row, row["detail"], found) for row in open_rows]))
    if waived_rows:
        console.print("Waived:")
        console.print(table(columns, [_finding(row, row["waived_reason"], found) for row in waived_rows]))
    fired = {row["rule_id"] for row in open_rows}
    for rule in load_rules():
        if rule.id in fired:
            lines = [
                f"{rule.id} {rule.title} ({rule.reference})",
                f"  {rule.risk}",
                f"  Remediation: {rule.remediation}",
            ]
            console.print(printable_lines(lines))
    counts = Counter(row["severity"] for row in open_rows)
    told = [f"{counts[severity]} {severity}" for severity in reversed(SEVERITIES) if counts[severity]]
    told += [f"{len(waived_rows)} waived"] if waived_rows else []
    console.print(f"{len(open_rows)} findings" + (f": {', '.join(told)}" if told else ""))


def print_idle_waivers(found: "Findings") -> None:
    """Say on standard error which waivers are expired or match nothing: five, and how many more there are."""
    idle = found.waivers_without_effect
    for sentence in idle[:_MOST_WAIVERS]:
        complain(sentence, prefix="warning")
    if more := len(idle[_MOST_WAIVERS:]):
        complain(f"{more} more waivers are expired or match nothing", prefix="warning")


def _finding(row: dict[str, Any], last: str, found: "Findings") -> tuple[str | Text, ...]:
    client = [row["client_name"] or row["client_id"]]
    client.append(found.account_names.get(row["account_id"], row["account_id"]))
    return row["severity"], row["rule_id"], printable_lines(client), printable_lines([row["subject"], last])


def print_accounts(found: Sequence["Account"]) -> None:
    """Which accounts there are."""
    stdout().print(table(("account", "name"), [(account.id, account.name) for account in found]))


def print_access(found: Sequence["Access"]) -> None:
    """Which accounts can be read."""
    rows = [(access.account_id, access.name, "granted" if access.granted else "refused") for access in found]
    stdout().print(table(("account", "name", "OAuth Client Read"), rows))
    problems = ProblemsOfAccounts(stderr())
    for access in found:
        if access.error_message:
            problems.add("refused", access.account_id, access.error_message)
    problems.sum_up()
