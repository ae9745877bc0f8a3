"""Counts the rows in the tables of clients: `python -m benchmarks.rows DATABASE`.

It runs as a program of its own, because the process that starts the contenders shares the machine's memory
and caches with them and has to stay small.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .errors import BenchmarkError


def rows_of(db: Path) -> Mapping[str, int]:
    """Count rows by table: `oauth_clients` and its child tables.

    Raises:
        BenchmarkError: the database cannot be read.
    """
    command = [sys.executable, "-m", "benchmarks.rows", str(db)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - this module
    if done.returncode != 0:
        raise BenchmarkError(f"the rows of {db} cannot be counted: {done.stderr}")
    counts: Mapping[str, int] = json.loads(done.stdout)
    return counts


def main() -> None:
    """Print the counts as JSON."""
    import duckdb

    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'cloudflare' "
            "AND (table_name = 'oauth_clients' OR starts_with(table_name, 'oauth_clients__'))"
        ).fetchall()
        counts = {
            table: connection.execute(f'SELECT count(*) FROM cloudflare."{table}"').fetchall()[0][0]
            for (table,) in tables
        }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
