"""The command line against the bundled API, in a folder and with a home of its own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from cloudflare_oauth_pipeline.cli import app
from cloudflare_oauth_pipeline.demo import DEMO_TOKEN, DemoServer

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


@pytest.fixture
def api() -> Iterator[DemoServer]:
    """The bundled API over an empty estate."""
    with DemoServer() as server:
        yield server


@pytest.fixture
def run(api: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `cloudflare-oauth` with these arguments, in an empty folder with an empty home."""
    for name in ("CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", DEMO_TOKEN)
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", api.base_url)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


def rows(query: str, *parameters: Any, db: str = DB) -> list[tuple[Any, ...]]:
    """What a query gives; `cloudflare` is the schema."""
    with duckdb.connect(db, read_only=True) as connection:
        connection.sql("SET search_path = 'cloudflare'")
        return connection.execute(query, parameters).fetchall()
