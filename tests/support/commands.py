"""Running `cloudflare-oauth` in a test, and asking what it wrote."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

DB = "cloudflare_oauth.duckdb"


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and its two outputs."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.stdout)


Run = Callable[..., Done]


def rows(query: str, *parameters: Any, db: str = DB) -> list[tuple[Any, ...]]:
    """The rows of a query; `cloudflare` is the schema."""
    with duckdb.connect(db, read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        return connection.execute(query, parameters).fetchall()
