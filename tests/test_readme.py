"""The README is held to the code: what it names exists, and what exists it names."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth_pipeline.analysis.rules import load_rules
from cloudflare_oauth_pipeline.analysis.views import load_views
from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.run.summary import ExitCode
from tests.support.commands import Run

README_FILE = Path(__file__).parents[1] / "README.md"
README = README_FILE.read_text()
GROUP = typer.main.get_group(app)


def first_cells(header: str) -> list[str]:
    """The first column of the table that begins with this header."""
    table = README.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def code(cell: str) -> str:
    return cell.strip("`").removeprefix("cloudflare-oauth ")


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} - {"--help"}


def test_every_command_is_in_the_readme_and_the_other_way_round() -> None:
    """The table of commands is complete."""
    assert {code(cell) for cell in first_cells("command")} == set(GROUP.commands)


def test_every_option_is_in_the_readme_with_its_commands_and_the_other_way_round() -> None:
    """The table of options is complete, and says which commands have them."""
    told: dict[str, set[str]] = {}
    table = README.split("| option |", 1)[1].split("\n\n", 1)[0]
    for line in table.splitlines()[2:]:
        name, commands = (cell.strip() for cell in line.split("|")[1:3])
        told[code(name).split()[0]] = (
            set(GROUP.commands) if commands == "all" else set(re.findall(r"`(\w+)`", commands))
        )
    exist: dict[str, set[str]] = {}
    for name, command in GROUP.commands.items():
        for option in options(command):
            exist.setdefault(option, set()).add(name)

    assert told == exist


def test_every_table_is_in_the_readme_and_the_other_way_round() -> None:
    """The table of tables is complete."""
    assert {code(cell) for cell in first_cells("table")} == set(declared_schema().data_table_names())


def test_every_view_is_in_the_readme_and_the_other_way_round() -> None:
    """The table of views is complete; and so is the number of rules."""
    assert {code(cell) for cell in first_cells("view")} == set(load_views())
    assert set(re.findall(r"(\d+) rules", README)) == {str(len(load_rules()))}


def test_every_exit_code_is_in_the_readme_and_the_other_way_round() -> None:
    """The table of exit codes is complete."""
    assert {int(cell) for cell in first_cells("exit code")} == {code.value for code in ExitCode}


@pytest.mark.parametrize("command", sorted(GROUP.commands))
def test_help_reads_like_documentation_with_an_example(run: Run, command: str) -> None:
    """Every command says what it does, shows an example, and explains every option."""
    done = run(command, "--help")

    assert done.exit_code == 0
    assert f"cloudflare-oauth {command}" in done.stdout.split("Example:")[1]
    for parameter in GROUP.commands[command].params:
        assert isinstance(parameter, typer.core.TyperOption)
        assert parameter.help, parameter.name


def test_every_picture_is_there_and_is_small() -> None:
    """Small enough for a page that opens at once: 150 kB each."""
    pictures = [README_FILE.parent / name for name in re.findall(r"!\[[^\]]+\]\((.+?)\)", README)]

    assert len(pictures) == 4
    for picture in pictures:
        assert 10_000 < picture.stat().st_size < 150_000


LAST_DAY = "changes --db demo.duckdb --since 1d"


def shown(command: str) -> str:
    return README.split(f"<!-- output of: {command} -->\n```text\n")[1].split("```")[0]


def test_the_output_in_the_readme_is_what_the_commands_print(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the id of the sync, the seconds it took, the day, and where the programs lie."""
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("demo", "findings --db demo.duckdb --min-severity critical", LAST_DAY):
        assert masked(run(*command.split()).stdout) == masked(shown(f"cloudflare-oauth {command}"))


def masked(output: str) -> str:
    output = re.sub(r"\d{8}T[\d.]{13}Z-[0-9a-f]{4}", "SYNC", output)
    output = re.sub(r"^   \S.*/bin/(cloudflare-oauth|python)'?", r"   \1", output, flags=re.MULTILINE)
    output = re.sub(r"\d{4}-\d\d-\d\d|\d\d:\d\d(?= )", "MOMENT", output)
    return re.sub(r"\d+\.\d s", "SECONDS", output).strip()
