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
_BEST_FORMATS = {"duckdb": "parquet", "postgres": "csv", "filesystem": "delta", "ducklake": "parquet"}
DESTINATIONS = tuple(_BEST_FORMATS)


@dataclass(frozen=True)
class Contender:
    """A program that loads everything the server has; `arguments` follow `python -m`.

    Where to is in the variables that dlt reads.
    """

    name: str
    description: str
    arguments: tuple[str, ...]
    starts_synced: bool = False
    """Whether it starts with the dataset that a first sync left instead of an empty one."""
    is_plain_dlt: bool = False
    """Whether it needs dlt's settings from the environment; `cloudflare-oauth` sets them itself."""

    @property
    def command(self) -> list[str]:
        """The command that runs it."""
        return [sys.executable, "-m", *self.arguments]


FLOOR = Contender("floor", "httpx and DuckDB's own JSON reader", ("benchmarks.floor",))


def first_sync(destination: str) -> Contender:
    """A first sync into an empty dataset."""
    return Contender("sync-first", "cloudflare-oauth sync, first", _sync(destination))


def contenders(destination: str) -> tuple[Contender, ...]:
    """What is compared on a destination; the last one is what the others are compared with."""
    best = _BEST_FORMATS[destination]
    syncs = (
        first_sync(destination),
        Contender(
            "sync-nothing-new", "cloudflare-oauth sync, nothing new", _sync(destination), starts_synced=True
        ),
    )
    default, in_best_format = _rest_api(destination, "default"), _rest_api(destination, best)
    if destination == "duckdb":
        sdk = Contender("sdk", "official SDK and dlt, parquet", ("benchmarks.sdk",), is_plain_dlt=True)
        return *syncs, default, in_best_format, sdk, FLOOR
    # Files that are no Delta tables can only be appended to; a lake's are Parquet by default.
    return *syncs, *((default,) if destination == "postgres" else ()), in_best_format


def _sync(destination: str) -> tuple[str, ...]:
    return ("cloudflare_oauth_pipeline", "sync", "--progress", "off", "--destination", destination)


def _rest_api(destination: str, file_format: str) -> Contender:
    return Contender(
        f"rest_api-{file_format}",
        f"dlt's rest_api_source, {file_format}",
        ("benchmarks.rest_api", "--destination", destination, "--format", file_format),
        is_plain_dlt=True,
    )


def environment(contender: Contender, base_url: str, folder: Path) -> Mapping[str, str]:
    """The environment of a contender: the server's URL, a token and a home folder of its own.

    Inherited variables that configure dlt or a contender are removed.
    """
    return clean_environment(folder) | {
        "CLOUDFLARE_API_TOKEN": "benchmark",
        "CLOUDFLARE_BASE_URL": base_url,
        **(_QUIET_DLT if contender.is_plain_dlt else {}),
    }


def clean_environment(folder: Path) -> dict[str, str]:
    """The inherited variables without those that configure dlt or a contender, and a home folder."""
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
        "DLT_DATA_DIR": str(folder / "dlt"),
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": IMPORT_PATH,
    }
