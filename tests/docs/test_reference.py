"""The reference is held to the code: what it names exists, and what exists it names."""

import re
from typing import Any

import pytest
import typer.core
import typer.main

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth.records import tables as declared
from cloudflare_oauth_pipeline.analysis.rules import load_rules
from cloudflare_oauth_pipeline.analysis.views import load_views
from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.run.summary import ExitCode
from tests.docs.pages import COMMANDS, README, SOURCE, TABLES, all_pages, rows, text
from tests.support.commands import Run

GROUP = typer.main.get_group(app)


def code(cell: str) -> str:
    return cell.strip("`").removeprefix("cloudflare-oauth ")


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} - {"--help"}


def test_every_command_is_in_the_reference_and_the_other_way_round() -> None:
    """The table of commands is complete."""
    assert {code(cells[0]) for cells in rows(COMMANDS, "command")} == set(GROUP.commands)


def test_every_option_is_in_the_reference_with_its_commands_and_the_other_way_round() -> None:
    """The table of options is complete, and says which commands have them."""
    told: dict[str, set[str]] = {}
    for name, commands, *_ in rows(COMMANDS, "option"):
        told[code(name).split()[0]] = (
            set(GROUP.commands) if commands == "all" else set(re.findall(r"`(\w+)`", commands))
        )
    exist: dict[str, set[str]] = {}
    for name, command in GROUP.commands.items():
        for option in options(command):
            exist.setdefault(option, set()).add(name)

    assert told == exist


def test_every_command_that_the_readme_shows_exists() -> None:
    """With its options; the reference has the others."""
    shown = re.findall(r"^\$ cloudflare-oauth (\w+)((?: .*)?)$", text(README), re.MULTILINE)

    assert shown
    for command, arguments in shown:
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options(GROUP.commands[command])


def test_every_table_is_in_the_reference_and_the_other_way_round() -> None:
    """The table of tables is complete."""
    assert {code(cells[0]) for cells in rows(TABLES, "table")} == set(declared_schema().data_table_names())


def test_every_resource_is_in_the_readme_of_the_source_and_the_other_way_round() -> None:
    """The resources are the root tables."""
    assert {code(cells[0]) for cells in rows(SOURCE, "table")} == set(declared.TABLES)


def test_every_view_is_in_the_reference_and_the_other_way_round() -> None:
    """The table of views is complete."""
    assert {code(cells[0]) for cells in rows(TABLES, "view")} == set(load_views())


def test_every_table_and_view_is_in_the_readme_and_the_other_way_round() -> None:
    """Tables of the same kind may share a row."""
    cells = [cells[0] for cells in rows(README, "table or view")]
    named = [(name, "(view)" in cell) for cell in cells for name in re.findall(r"`(\w+)`", cell)]

    assert {name for name, is_view in named if not is_view} == set(declared_schema().data_table_names())
    assert {name for name, is_view in named if is_view} == set(load_views())


def test_the_number_of_rules_is_right_wherever_it_is_said() -> None:
    """In the README, and on every page that says it."""
    assert re.search(r"(\d+) rules", text(README))
    said = {number for page in all_pages() for number in re.findall(r"(\d+) rules", text(page))}

    assert said == {str(len(load_rules()))}


def test_every_exit_code_is_in_the_reference_and_the_other_way_round() -> None:
    """The table of exit codes is complete."""
    assert {int(cells[0]) for cells in rows(COMMANDS, "exit code")} == {code.value for code in ExitCode}


@pytest.mark.parametrize("command", sorted(GROUP.commands))
def test_help_reads_like_documentation_with_an_example(run: Run, command: str) -> None:
    """Every command says what it does, shows an example, and explains every option."""
    done = run(command, "--help")

    assert done.exit_code == 0
    assert f"cloudflare-oauth {command}" in done.stdout.split("Example:")[1]
    for parameter in GROUP.commands[command].params:
        assert isinstance(parameter, typer.core.TyperOption)
        assert parameter.help, parameter.name
