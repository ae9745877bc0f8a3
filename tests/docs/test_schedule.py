"""The schedules in the documentation can be read by their programs, and name what exists."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import typer.main
import yaml

from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.run.summary import ExitCode
from tests.docs.pages import SCHEDULE, text

PAGE = text(SCHEDULE)
COMMANDS = typer.main.get_group(app).commands


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_command_and_option_exists() -> None:
    """In the cron line, the unit and the workflow."""
    shown = [
        line for kind in ("cron", "ini", "yaml") for block in blocks(kind) for line in block.splitlines()
    ]
    calls = [re.search(r"cloudflare-oauth (sync|findings)((?: -[^|>&]*)*)", line) for line in shown]
    called = [(call[1], re.findall(r"--[a-z-]+", call[2])) for call in calls if call]

    assert len(called) == 4
    for command, options in called:
        known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        assert set(options) <= known


def test_every_exit_code_is_explained() -> None:
    """But that of Ctrl-C, which no scheduler presses."""
    table = PAGE.split("| exit code |")[1].split("\n\n")[0]

    assert {int(code) for code in re.findall(r"^\| (\d+) ", table, re.MULTILINE)} == {
        code.value for code in ExitCode if code is not ExitCode.INTERRUPTED
    }


def test_the_cron_line_is_one_that_a_shell_can_read() -> None:
    """Five fields and a command, in which no percent sign is a line break to cron."""
    (line,) = blocks("cron")
    *fields, command = line.split(None, 5)

    assert [bool(re.fullmatch(r"[\d*/,-]+", field)) for field in fields] == [True] * 5
    assert "%" not in command
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


def test_the_units_are_read_by_systemd(tmp_path: Path) -> None:
    """By systemd itself, where it is installed."""
    service, timer = blocks("ini")
    assert "[Service]" in service
    assert "[Timer]" in timer
    for name, unit in (("cloudflare-oauth.service", service), ("cloudflare-oauth.timer", timer)):
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read_string(unit)
        assert parser.sections()
        (tmp_path / name).write_text(unit.replace("/opt/cloudflare-oauth/bin/cloudflare-oauth", "/bin/true"))
    if systemd := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [systemd, "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
        )
        assert "cloudflare-oauth" not in done.stderr, done.stderr


def test_the_workflow_is_yaml_and_its_script_treats_exit_codes_as_it_says() -> None:
    """Run with a stand-in for the program: 0 passes, 3 warns and passes, anything else fails."""
    (text,) = blocks("yaml")
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["sync"]["steps"]
    script = next(step["run"] for step in steps if step.get("name") == "Sync")

    for code, ends_with, warns in ((0, 0, False), (3, 0, True), (1, 1, False), (2, 2, False)):
        stand_in = f"cloudflare-oauth() {{ return {code}; }}\n"
        done = subprocess.run(
            ["bash", "-e", "-c", stand_in + script], capture_output=True, text=True, check=False
        )
        assert (done.returncode, "::warning::" in done.stdout) == (ends_with, warns)
