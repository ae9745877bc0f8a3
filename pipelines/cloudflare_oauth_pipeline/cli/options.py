"""The options that several commands share, and their values."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..analysis.waivers import DEFAULT_FILE as DEFAULT_WAIVERS
from ..app.access import ALLOW_HOST_VARIABLE
from ..app.settings import VARIABLES
from ..destinations.target import DEFAULT_DB, Target


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
    """The severity of a finding."""

    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


class ProgressMode(StrEnum):
    """Whether progress is shown; problems always are."""

    auto = "auto"
    off = "off"


Accounts = Annotated[
    list[str] | None,
    typer.Option(
        "--account", metavar="ID", help="Sync only this account (repeatable); skips account discovery."
    ),
]
OnlyAccounts = Annotated[
    list[str] | None, typer.Option("--account", metavar="ID", help="Only this account (repeatable).")
]
Excluded = Annotated[
    list[str] | None,
    typer.Option("--exclude-account", metavar="ID", help="Skip this account (repeatable)."),
]
Destination = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar=VARIABLES["destination"],
        help="Any dlt destination, with dlt's own configuration.",
    ),
]
Db = Annotated[
    Path | None,
    typer.Option(metavar="PATH", envvar=VARIABLES["db"], help="DuckDB file.", show_default=str(DEFAULT_DB)),
]
Dataset = Annotated[
    str, typer.Option(metavar="NAME", envvar=VARIABLES["dataset"], help="Dataset (schema) of the tables.")
]
PipelineName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar=VARIABLES["pipeline-name"],
        help="Name of the dlt pipeline; shards of one dataset need different names.",
    ),
]
Concurrency = Annotated[
    int, typer.Option(metavar="N", min=1, max=64, help="Number of requests in flight at once.")
]
QuotaShare = Annotated[
    float,
    typer.Option(
        metavar="F",
        min=0.01,
        max=1.0,
        help="Largest share of Cloudflare's quota to use; the rest is left to your other tools.",
    ),
]
MaxDeleteFraction = Annotated[
    float,
    typer.Option(
        metavar="F",
        min=0.0,
        max=1.0,
        help="Largest share of an account's known clients that may vanish at once; if more do, all are kept. "
        "Applies to accounts with 10 known clients or more.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
RowsFormat = Annotated[
    TextFormat,
    typer.Option(
        "--format",
        help="How the rows are printed. On a terminal, control and invisible characters are shown as "
        "escapes; into a file or a pipe, `csv` writes them as they are.",
    ),
]
WaiversFile = Annotated[
    Path | None,
    typer.Option(
        "--waivers",
        metavar="PATH",
        envvar=VARIABLES["waivers"],
        help="File with waivers (TOML).",
        show_default=str(DEFAULT_WAIVERS),
    ),
]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        envvar=ALLOW_HOST_VARIABLE,
        help="Also serve this host name, such as a proxy's (repeatable). Loopback names and the address of "
        "`--host` are always served; with `0.0.0.0`, every IP address. Other names get 403.",
    ),
]
NoToken = Annotated[
    bool,
    typer.Option(
        "--no-token",
        help="Ask for no access token, because a proxy in front authenticates. "
        "Only on loopback or with `--allow-host`.",
    ),
]
ProgressOption = Annotated[
    ProgressMode, typer.Option(help="`auto`: live on a terminal, plain lines elsewhere.")
]


def target_of(
    context: typer.Context, *, destination: str, db: Path | None, dataset: str, pipeline_name: str
) -> Target:
    """The target that the options name.

    Raises:
        ConfigurationError: as `Target`.
    """
    source = context.get_parameter_source("db")
    if destination != "duckdb" and source is not None and source.name == "ENVIRONMENT":
        # The variable may be set for good; the option would be a mistake.
        db = None
    return Target(destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name)
