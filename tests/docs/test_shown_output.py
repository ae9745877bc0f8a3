"""The output that the pages show is what the commands print."""

import re

import pytest

from tests.docs.pages import all_pages, text
from tests.support.commands import Run

SHOWN = re.compile(
    r"^<!-- output of: cloudflare-oauth ([^\n]+) -->\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE
)


@pytest.mark.scale
def test_the_output_on_the_pages_is_what_the_commands_print(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the id of the sync, the seconds it took, the day, and where the programs lie."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = [found for page in all_pages() for found in SHOWN.findall(text(page))]
    assert {command for command, _ in shown} == {
        "demo",
        "findings --db demo.duckdb --min-severity critical",
        "changes --db demo.duckdb --since 1d",
    }
    # The demo makes what the others read.
    for command, output in sorted(shown, key=lambda each: each[0] != "demo"):
        assert masked(run(*command.split()).stdout) == masked(output)


def masked(output: str) -> str:
    output = re.sub(r"\d{8}T[\d.]{13}Z-[0-9a-f]{4}", "SYNC", output)
    output = re.sub(r"^   \S.*/bin/(cloudflare-oauth|python)'?", r"   \1", output, flags=re.MULTILINE)
    output = re.sub(r"\d{4}-\d\d-\d\d|\d\d:\d\d(?= )", "MOMENT", output)
    return re.sub(r"\d+\.\d s", "SECONDS", output).strip()
