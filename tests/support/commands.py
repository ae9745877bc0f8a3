"""Types for running `cloudflare-oauth` in a test, and a query on the dataset that it wrote."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

DB = "cloudflare_oauth.duckdb"
_ROOT = str(Path(__file__).parents[2])
# Lets a process in any folder run `python -m tests.support.…`. Run as a script, it would find the modules
# beside it first, and `requests` there is not the library.
TESTS_ON_PATH = {"PYTHONPATH": os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))}


@dataclass(frozen=True)
class Done:
    """The result of a command: its exit code and its two outputs."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, parsed as JSON."""
        return json.loads(self.stdout)


Run = Callable[..., Done]


def rows(query: str, *parameters: Any, db: str = DB) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the DuckDB file `db`, with `cloudflare` as the default schema."""
    with duckdb.connect(db, read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        return connection.execute(query, parameters).fetchall()
