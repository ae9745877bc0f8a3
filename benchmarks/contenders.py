"""The contenders: what each of them is, and how it is started."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SYNC = ("cloudflare_oauth_pipeline", "sync", "--progress", "off")


@dataclass(frozen=True)
class Contender:
    """A program that loads everything; `arguments` follow `python -m`."""

    name: str
    what: str
    arguments: tuple[str, ...]
    starts_synced: bool = False
    """Whether its database is not empty, but what a sync has left."""

    def command(self, db: Path) -> list[str]:
        """How it is started on a database."""
        return [sys.executable, "-m", *self.arguments, "--db", str(db)]


SYNC_FIRST = Contender("sync-first", "cloudflare-oauth sync, the first", _SYNC)
FLOOR = Contender("floor", "httpx and DuckDB's own JSON reader", ("benchmarks.floor",))
CONTENDERS = (
    SYNC_FIRST,
    Contender("sync-nothing-new", "cloudflare-oauth sync, nothing new", _SYNC, starts_synced=True),
    Contender("rest_api-default", "dlt's rest_api_source", ("benchmarks.rest_api",)),
    Contender(
        "rest_api-parquet",
        "dlt's rest_api_source, parquet",
        ("benchmarks.rest_api", "--file-format", "parquet"),
    ),
    Contender("sdk", "official SDK and dlt, parquet", ("benchmarks.sdk",)),
    FLOOR,
)


def environment(base_url: str, folder: Path) -> Mapping[str, str]:
    """The environment of every contender: the server, and a home of its own.

    Nothing that configures a contender otherwise is inherited.
    """
    ours = (
        "CLOUDFLARE_",
        "DLT_",
        "RUNTIME__",
        "DESTINATION__",
        "SOURCES__",
        "LOAD__",
        "NORMALIZE__",
        "EXTRACT__",
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | {
        "CLOUDFLARE_API_TOKEN": "benchmark",
        "CLOUDFLARE_BASE_URL": base_url,
        "DLT_DATA_DIR": str(folder / "dlt"),
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        # This tree, whatever else is installed.
        "PYTHONPATH": os.pathsep.join(str(_ROOT / part) for part in (".", "sources", "pipelines")),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
    }
