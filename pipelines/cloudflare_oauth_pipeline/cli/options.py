"""The options that several commands have in common, and what may be given for them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..analysis.waivers import DEFAULT_FILE as DEFAULT_WAIVERS
from ..destinations.target import DEFAULT_DB


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    json = "json"


class TextFormat(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class Severity(StrEnum):
    """How dangerous a finding is."""

    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


class ProgressMode(StrEnum):
    """Whether progress is shown; what went wrong always is."""

    auto = "auto"
    off = "off"


Accounts = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="ID", help="Read this account; repeatable. Then none are listed."),
]
Excluded = Annotated[
    list[str] | None,
    typer.Option("--exclude-account", metavar="ID", help="Leave this account out; repeatable."),
]
Destination = Annotated[
    str, typer.Option(metavar="NAME", help="Any dlt destination, configured as dlt configures it.")
]
Db = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="DuckDB file.", show_default=str(DEFAULT_DB)),
]
Dataset = Annotated[str, typer.Option(metavar="NAME", help="Dataset (schema) of the tables.")]
PipelineName = Annotated[
    str, typer.Option(metavar="NAME", help="Name of the dlt pipeline; give each shard of a dataset its own.")
]
Concurrency = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Requests in flight at once.")]
QuotaShare = Annotated[
    float,
    typer.Option(
        metavar="F",
        min=0.01,
        max=1.0,
        help="Largest part of Cloudflare's quota to use; the rest is left to your other tools.",
    ),
]
MaxDeleteFraction = Annotated[
    float,
    typer.Option(
        metavar="F",
        min=0.0,
        max=1.0,
        help="Largest part of an account's known clients that may vanish at once; beyond it they are kept. "
        "Asked of accounts with 10 known clients or more.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
RowsFormat = Annotated[TextFormat, typer.Option("--format", help="How the rows are printed.")]
WaiversFile = Annotated[
    Path | None,
    typer.Option("--waivers", metavar="PATH", help="Waivers (TOML).", show_default=str(DEFAULT_WAIVERS)),
]
ProgressOption = Annotated[
    ProgressMode, typer.Option(help="`auto`: live on a terminal, plain lines elsewhere.")
]
