"""A file that DuckDB 2 has written is recognised; no value is bound, for which DuckDB would import pandas."""

import gzip
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudflare_oauth_pipeline.destinations.adapter import plain_dataset
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_writing
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from tests.support.commands import Run

# Written by DuckDB 2.0.0: one table with one row.
WRITTEN_BY_DUCKDB_2 = Path(__file__).parents[2] / "support" / "written_by_duckdb_2.gz"


@pytest.mark.parametrize("command", ["sync", "findings", "changes", "explore"])
def test_a_file_of_duckdb_2_gets_one_sentence_that_says_how_to_convert_it(run: Run, command: str) -> None:
    """Every command exits with code 1, and the file stays as it was."""
    content = gzip.decompress(WRITTEN_BY_DUCKDB_2.read_bytes())
    Path("two.duckdb").write_bytes(content)

    done = run(command, "--db", "two.duckdb")

    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "two.duckdb was written by a newer DuckDB (2.0 or later)" in line
    assert "Traceback" not in done.stderr
    assert Path("two.duckdb").read_bytes() == content


def test_the_statements_for_the_conversion_copy_every_table(run: Run) -> None:
    """They run here on a file of this DuckDB; DuckDB 2 runs them on one of its own."""
    Path("two.duckdb").write_bytes(gzip.decompress(WRITTEN_BY_DUCKDB_2.read_bytes()))
    message = run("findings", "--db", "two.duckdb").stderr.replace("\n", " ")
    statements = re.findall(r"ATTACH [^;]*|COPY [^;]*", message)
    assert len(statements) == 3
    Path("two.duckdb").unlink()
    with duckdb.connect("two.duckdb") as connection:
        connection.execute("CREATE SCHEMA cloudflare; CREATE TABLE cloudflare.clients AS SELECT 1 AS one")

    with duckdb.connect() as connection:
        for statement in statements:
            connection.execute(statement)

    with duckdb.connect("converted.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT one FROM cloudflare.clients").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "it's; DROP TABLE x --",
        "\\'\\\\",
        "%s ? $1 {} 100 %",
        "line\nline\r\ttab \x01",
        "Ω 🦆 \u202e",
        "",
        7,
        -(2**63),
        1.5,
        True,
        None,
        b"\x00\xff",
        datetime(2026, 6, 3, 1, 2, 3, 456789, tzinfo=UTC),
    ],
    ids=repr,
)
def test_a_value_in_a_statement_arrives_as_it_is(tmp_path: Path, value: Any) -> None:
    """dlt's own statements, with the schema as JSON among them, are all that has values."""
    target = Target(db=tmp_path / "x.duckdb", pipelines_dir=tmp_path)
    with open_for_writing(target) as (pipeline, _), plain_dataset(pipeline).sql_client as client:
        (row,) = client.execute_sql(
            "SELECT %s AS first, '%' AS second, %s = %s AS third", value, value, value
        )
    assert row[1] == "%"
    assert row[2] is (None if value is None else True)
    assert row[0] == (value.isoformat() if isinstance(value, datetime) else value)


PRINT_IMPORTED = """
import os, sys
from cloudflare_oauth_pipeline import __main__ as program

def end(exit_code):
    print(exit_code, sorted({"pandas", "pyarrow"} & sys.modules.keys()), file=sys.stderr)
    os._exit(0)

program.exit_now = end
program.main()
"""


def test_pandas_is_not_imported_where_it_is_not_needed(api: FakeApi, tmp_path: Path) -> None:
    """It takes as long as all that a command does."""
    for number in range(3):
        api.organisation.add(account_id("one"), client_id=f"client-{number}")
    environment = os.environ | {
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
        "CLOUDFLARE_BASE_URL": api.base_url,
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PRINT_IMPORTED, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr.splitlines()[-1]

    assert run("sync") == "0 ['pandas', 'pyarrow']"
    assert [run("sync"), run("findings"), run("changes")] == ["0 []"] * 3
