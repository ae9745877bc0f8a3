"""A file that DuckDB 2 has written is recognised, and left as it is."""

import gzip
import re
from pathlib import Path

import duckdb
import pytest

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
