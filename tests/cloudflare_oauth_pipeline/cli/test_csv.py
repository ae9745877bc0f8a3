"""CSV: exact for programs, harmless in spreadsheets and on a terminal."""

import csv
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth_pipeline.cli.output.csv import print_csv
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.safe_text import printable
from tests.support.commands import Run

A = account_id("a")
# What acts on a terminal, or hides there, and how it is shown.
ACTING = {
    "\x1b[31mred": r"\x1b[31mred",
    "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\": "\\x1b]8;;https://evil.example\\x1b\\x\\x1b]8;;\\x1b\\",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "bell\x07": r"bell\x07",
    "over\rwritten": r"over\rwritten",
    "two\nlines": r"two\nlines",
    "back\x08space": r"back\x08space",
    "delete\x7f": r"delete\x7f",
    "\x9b31mC1": r"\x9b31mC1",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\u2066isolated\u2069": r"\u2066isolated\u2069",
    "right\u200fto left": r"right\u200fto left",
    "zero\u200bwidth": r"zero\u200bwidth",
    "joiner\u200d": r"joiner\u200d",
    "\ufeffmark": r"\ufeffmark",
    "line\u2028separator": r"line\u2028separator",
    "filler\u3164": r"filler\u3164",
    "filler\u115f": r"filler\u115f",
    "no-break\xa0space": r"no-break\xa0space",
    "tag\U000e0041": r"tag\U000e0041",
}
# What ends a cell or a line in some spreadsheet.
SEPARATING = [
    "x;=1+1",
    'x;=HYPERLINK("https://evil.example");',
    "x\t=1",
    "x,=1",
    "x|=1",
    'say "so"',
    "two\nlines",
    "two\r\nlines",
    "over\rwritten",
    " space before",
    "space after ",
    "'apostrophe",
    "büro, 日本",
    "plain",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]  # noqa: RUF001  # as it is meant


def written(names: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    print_csv(["n", "name"], ({"n": number, "name": name} for number, name in enumerate(names)))
    return capsys.readouterr().out


def on_a_terminal(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    """What a command writes to a terminal."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "cloudflare_oauth_pipeline", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=its, stderr=subprocess.PIPE
    ) as process:
        os.close(its)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:
            # Linux's way to say that the terminal was closed at its other end.
            pass
        assert process.stderr is not None
        assert process.stderr.read() == b""
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_programs_read_what_was_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's and DuckDB's readers give back every cell, line ends and control characters included."""
    names = [*SEPARATING, *ACTING]

    text = written(names, capsys)

    assert [row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))] == names


def test_duckdb_reads_what_was_stored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """By `read_csv`, which finds the separator itself."""
    names = [*SEPARATING, *ACTING]
    file = tmp_path / "changes.csv"
    file.write_text(written(names, capsys), "utf-8", newline="")

    for arguments in ("", ", delim = ','"):
        query = f"SELECT name FROM read_csv('{file}'{arguments}, header = true, quote = '\"') ORDER BY n"
        assert [name for (name,) in duckdb.connect().execute(query).fetchall()] == names


def test_duckdb_finds_one_column_where_a_semicolon_separates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A line without a semicolon in it is whole; the quotes are part of it."""
    file = tmp_path / "changes.csv"
    file.write_text(written(["plain", 'say "so"', "x,y"], capsys), "utf-8", newline="")

    query = f"SELECT * FROM read_csv('{file}', delim = ';', quote = '', header = false)"

    assert duckdb.connect().execute(query).fetchall() == [
        ("n,name",),
        ("0,plain",),
        ('1,"say ""so"""',),
        ('2,"x,y"',),
    ]


def cells(line: str) -> list[str]:
    """The cells of a line for a spreadsheet that separates at commas, semicolons and tabs at once."""
    return [cell for cell, _ in re.findall(r'((?:"(?:[^"]|"")*"|[^,;\t"])*)([,;\t]|$)', line)][:-1]


def test_a_cell_with_a_separator_of_any_locale_is_quoted_and_not_altered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """LibreOffice separates at commas, semicolons and tabs at once: a quoted cell stays whole."""
    names = [name for name in SEPARATING if "\n" not in name]

    lines = written(names, capsys).split("\n")[1:-1]

    assert [len(cells(line)) for line in lines] == [2] * len(names)
    for name, line in zip(names, lines, strict=True):
        quoted = '"' + name.replace('"', '""') + '"'
        assert cells(line)[1] == (name if name in ("plain",) else quoted)


def test_the_beginning_of_a_formula_gets_an_apostrophe(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal and off it; nothing else in a cell is altered."""
    text = written(FORMULAS, capsys)

    read = [row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert read == [f"'{name}" for name in FORMULAS]


@pytest.mark.parametrize("text", ACTING)
def test_what_acts_or_hides_is_shown_as_an_escape(text: str) -> None:
    """In tables, messages and notebook pages."""
    assert printable(text).plain == ACTING[text]


@pytest.mark.parametrize("name", ["Büro", "日本", "👍🏽", "مرحبا", "a b", "C:\\x", "é"])
def test_what_is_visible_is_shown_as_it_is(name: str) -> None:
    """Letters of any script, and emoji."""
    assert printable(name).plain == name


@pytest.mark.scale
def test_nothing_that_was_stored_acts_on_a_terminal(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each format of `changes` and `findings` shows escapes there; into a pipe, CSV is exact."""
    for number, name in enumerate(ACTING):
        api.organisation.add(
            A, client_id=f"{number}", client_name=name, redirect_uris=[f"http://evil.example/{name}"]
        )
    run("sync")
    environment = os.environ | {"CLOUDFLARE_API_TOKEN": FAKE_TOKEN, "COLUMNS": "400", "TERM": "dumb"}

    for command in ("changes", "findings"):
        for kind in ("csv", "json", "table"):
            shown = on_a_terminal([command, "--format", kind], environment, Path.cwd())
            acting = set(shown) - set(printable(shown).plain) - {"\r", "\n"}
            assert acting == set(), (command, kind)
            assert shown.replace("\r\n", "").count("\r") == 0
        rows = csv.DictReader(io.StringIO(run(command, "--format", "csv").stdout, newline=""))
        assert {row["client_name"] for row in rows} == set(ACTING)
    shown = on_a_terminal(["changes", "--format", "csv"], environment, Path.cwd())
    read = csv.DictReader(io.StringIO(shown, newline=""))
    assert {row["client_name"] for row in read} == set(ACTING.values())
