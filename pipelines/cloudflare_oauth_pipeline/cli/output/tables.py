"""What the commands print for people."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ...analysis.change_text import in_words
from ...analysis.rules import SEVERITIES, load_rules
from ...destinations.target import Target
from ...run.summary import Summary
from .console import printable, printable_lines, stderr, stdout, table

if TYPE_CHECKING:
    from ...analysis.findings import Findings
    from ...run.access_check import Access

FIRST_QUESTION = "Which redirect URIs may hand an authorization code to somebody else?"
FIRST_QUERY = r"""
SELECT a.name AS account, c.client_name AS client, u.value AS redirect_uri
FROM {dataset}.oauth_clients__redirect_uris AS u
JOIN {dataset}.oauth_clients AS c USING (account_id, client_id)
JOIN {dataset}.accounts AS a USING (account_id)
WHERE u.value LIKE '%*%' OR u.value LIKE 'javascript:%'
   OR (u.value LIKE 'http://%'
       AND NOT regexp_matches(u.value, '^http://(localhost|127\.|\[::1\])'))
ORDER BY ALL""".strip()
OWN_QUERY = "SELECT * FROM {dataset}.account_syncs"


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
            account_names.get(row["account_id"], row["account_id"]),
            row["client_name"] or row["client_id"],
            row["change"],
            printable_lines(in_words(row)),
        )
        for row in rows
    ]
    console = stdout()
    if lines:
        console.print(table(("seen (UTC)", "account", "client", "change", "what"), lines))
    console.print(f"{len(lines)} changes" if lines else "no changes")


def print_findings(found: "Findings") -> None:
    """What is dangerous, the worst first; then, of each rule, why and how to mend it."""
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
                f"  {rule.why}",
                f"  To mend it: {rule.mend}",
            ]
            console.print(printable_lines(lines))
    counts = Counter(row["severity"] for row in open_rows)
    told = [f"{counts[severity]} {severity}" for severity in reversed(SEVERITIES) if counts[severity]]
    told += [f"{len(waived_rows)} waived"] if waived_rows else []
    console.print(f"{len(open_rows)} findings" + (f": {', '.join(told)}" if told else ""))


def _finding(row: dict[str, Any], last: str, found: "Findings") -> tuple[str | Text, ...]:
    client = [row["client_name"] or row["client_id"]]
    client.append(found.account_names.get(row["account_id"], row["account_id"]))
    return row["severity"], row["rule_id"], printable_lines(client), printable_lines([row["subject"], last])


def print_access(found: Sequence["Access"]) -> None:
    """Which accounts can be read."""
    rows = [(access.account_id, access.name, "granted" if access.granted else "refused") for access in found]
    stdout().print(table(("account", "name", "OAuth Client Read"), rows))
    for access in found:
        if access.error_message:
            stderr().print("refused:", printable(access.error_message))


def print_next_steps(target: Target) -> None:
    """What to look at next, with the answer to a first question."""
    import duckdb

    console = stdout()
    query = FIRST_QUERY.format(dataset=target.dataset)
    with duckdb.connect(str(target.duckdb_file), read_only=True) as connection:
        result = connection.sql(query)
        console.print(f"\n1. {FIRST_QUESTION}\n")
        console.print(printable_lines(f"    {line}" for line in query.splitlines()), soft_wrap=True)
        console.print(table(result.columns, result.fetchall()))
    db = target.duckdb_file
    own = OWN_QUERY.format(dataset=target.dataset)
    steps = (
        f"2. Which clients are dangerous, why, and what to do?\n"
        f"   {_runnable('cloudflare-oauth')} findings --db {db}\n"
        f"3. What was found, and what has changed since?\n"
        f"   {_runnable('cloudflare-oauth')} changes --db {db}\n"
        f"4. Look at all of it in the browser:\n"
        f"   {_runnable('cloudflare-oauth')} explore --db {db}\n"
        f"5. Ask your own:\n"
        f"   {_runnable('python')} -c \"import duckdb; duckdb.connect('{db}').sql('{own}').show()\""
    )
    console.print(steps, markup=False, soft_wrap=True)


def _runnable(program: str) -> str:
    """How to call a program of this environment from here: by its name, if that finds it."""
    ours = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if found is not None and Path(found).parent == ours.parent:
        return program
    return shlex.quote(os.path.relpath(ours) if ours.is_relative_to(Path.cwd()) else str(ours))
