"""The contenders: what each is, and how it is started."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]
IMPORT_PATH = os.pathsep.join(str(_ROOT / part) for part in (".", "sources", "pipelines"))
"""`PYTHONPATH` of every process: import from this tree even if another version is installed."""

_QUIET_DLT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
_SYNC = ("cloudflare_oauth_pipeline", "sync", "--progress", "off")


@dataclass(frozen=True)
class Contender:
    """A program that loads everything the server has; `arguments` follow `python -m`."""

    name: str
    description: str
    arguments: tuple[str, ...]
    starts_synced: bool = False
    """Whether it starts with the database that a first sync left instead of an empty one."""
    is_plain_dlt: bool = False
    """Whether it needs dlt's settings from the environment; `cloudflare-oauth` sets them itself."""

    def command(self, db: Path) -> list[str]:
        """The command that loads into a database file."""
        return [sys.executable, "-m", *self.arguments, "--db", str(db)]


SYNC_FIRST = Contender("sync-first", "cloudflare-oauth sync, first", _SYNC)
FLOOR = Contender("floor", "httpx and DuckDB's own JSON reader", ("benchmarks.floor",))
CONTENDERS = (
    SYNC_FIRST,
    Contender("sync-nothing-new", "cloudflare-oauth sync, nothing new", _SYNC, starts_synced=True),
    Contender("rest_api-default", "dlt's rest_api_source", ("benchmarks.rest_api",), is_plain_dlt=True),
    Contender(
        "rest_api-parquet",
        "dlt's rest_api_source, parquet",
        ("benchmarks.rest_api", "--file-format", "parquet"),
        is_plain_dlt=True,
    ),
    Contender("sdk", "official SDK and dlt, parquet", ("benchmarks.sdk",), is_plain_dlt=True),
    FLOOR,
)


def environment(contender: Contender, base_url: str, folder: Path) -> Mapping[str, str]:
    """The environment of a contender: the server's URL, a token and a home folder of its own.

    Inherited variables that configure dlt or a contender are removed.
    """
    prefixes = (
        "CLOUDFLARE_",
        "DLT_",
        "RUNTIME__",
        "DESTINATION__",
        "SOURCES__",
        "LOAD__",
        "NORMALIZE__",
        "EXTRACT__",
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return inherited | {
        "CLOUDFLARE_API_TOKEN": "benchmark",
        "CLOUDFLARE_BASE_URL": base_url,
        "DLT_DATA_DIR": str(folder / "dlt"),
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": IMPORT_PATH,
        **(_QUIET_DLT if contender.is_plain_dlt else {}),
    }
