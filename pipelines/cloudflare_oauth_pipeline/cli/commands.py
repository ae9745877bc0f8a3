"""The command line: options in, results on standard output, everything else on standard error.

What a command does is imported when it is called: dlt takes half a second, and help needs none of it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

# dlt takes these when it is first imported. Its log would show people tracebacks; set them to see it.
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
# What was staged for a merge would otherwise stay, and double the size of the database.
os.environ.setdefault("LOAD__TRUNCATE_STAGING_DATASET", "true")
# Arrow's own allocator keeps more of what it no longer needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

from cloudflare_oauth import CloudflareOAuthError, ConfigurationError
from cloudflare_oauth.configuration import checked_account_ids
from cloudflare_oauth.inventory.run import DEFAULT_MAX_DELETE_FRACTION, new_sync_id
from cloudflare_oauth.reading.process import open_reader_process
from cloudflare_oauth.reading.reader import OpenReader
from cloudflare_oauth.settings import DEFAULT_CONCURRENCY, DEFAULT_QUOTA_SHARE

from ..analysis.waivers import load_waivers
from ..demo.story import DEFAULT_DAYS, run_demo
from ..destinations.target import DEFAULT_DATASET, DEFAULT_PIPELINE_NAME, Target
from ..errors import InterruptedSyncError, SyncError, UsageError
from ..run.head_start import begin_to_read
from ..run.summary import ExitCode, Summary
from .durations import parse_age, parse_since
from .options import (
    Accounts,
    Concurrency,
    Dataset,
    Db,
    Destination,
    Excluded,
    Format,
    MaxDeleteFraction,
    OutputFormat,
    PipelineName,
    ProgressMode,
    ProgressOption,
    QuotaShare,
    RowsFormat,
    Severity,
    TextFormat,
    WaiversFile,
)
from .output import console as terminal
from .output import tables as report
from .output.csv import print_csv
from .progress import show_progress

app = typer.Typer(
    name="cloudflare-oauth",
    help="Inventory and change history of the OAuth clients in all your Cloudflare accounts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.command()
def sync(
    account: Accounts = None,
    exclude_account: Excluded = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    concurrency: Concurrency = DEFAULT_CONCURRENCY,
    quota_share: QuotaShare = DEFAULT_QUOTA_SHARE,
    max_delete_fraction: MaxDeleteFraction = DEFAULT_MAX_DELETE_FRACTION,
    resume: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Leave out accounts read completely within this age (`6h`, `2d`)."),
    ] = None,
    waivers: WaiversFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare and report; write nothing.")] = False,
    output: OutputFormat = Format.table,
    progress: ProgressOption = ProgressMode.auto,
) -> None:
    """Make the dataset equal to what Cloudflare holds.

    Lists every OAuth client of every account the credentials see, compares, and writes the difference.
    An account that cannot be read completely keeps all its clients.

    Example: `CLOUDFLARE_API_TOKEN=… cloudflare-oauth sync --db clients.duckdb`

    Exit codes: 0 complete, 1 failed, 2 wrong usage, 3 partial.
    """
    summary = Summary(new_sync_id())
    with _reported_errors(), show_progress(progress.value) as observer:
        target = Target(destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name)
        resume_within = parse_age(resume) if resume else None
        waivers_given = load_waivers(waivers)
        open_reader: OpenReader = open_reader_process
        if resume_within is None and not dry_run:
            open_reader = begin_to_read(
                target,
                account_ids=account,
                exclude_account_ids=exclude_account or (),
                concurrency=concurrency,
                quota_share=quota_share,
            )
        try:
            _run_sync(
                target,
                account_ids=account,
                exclude_account_ids=exclude_account or (),
                concurrency=concurrency,
                quota_share=quota_share,
                max_delete_fraction=max_delete_fraction,
                resume_within=resume_within,
                waivers=waivers_given,
                dry_run=dry_run,
                open_reader=open_reader,
                observer=observer,
                summary=summary,
            )
        except (ConfigurationError, UsageError):
            raise
        except (CloudflareOAuthError, SyncError):
            if output is Format.json:
                terminal.print_json(summary.as_json())
            raise
    if output is Format.json:
        terminal.print_json(summary.as_json())
    else:
        report.print_summary(summary, target, dry_run=dry_run)
    raise typer.Exit(summary.exit_code)


def _run_sync(target: Target, **options: Any) -> None:
    """As `sync.sync`, which imports dlt; whoever interrupts that is told what became of it, too."""
    try:
        from ..run.sync import sync as run_sync

        run_sync(target, **options)
    except KeyboardInterrupt:
        raise InterruptedSyncError("interrupted: the next sync does what is left") from None


@app.command()
def changes(
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what was seen since: an age (`12h`, `7d`, `2w`) or a date."),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="Only this account; repeatable.")
    ] = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    output: RowsFormat = TextFormat.table,
) -> None:
    """Show the change log: which clients were created, updated and deleted, and what of them.

    A change is logged when a sync first sees it. `baseline` is what an account's first complete sync found.

    Example: `cloudflare-oauth changes --since 7d`
    """
    from ..analysis.change_log import COLUMNS, read_changes

    with _reported_errors():
        target = Target(destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name)
        log = read_changes(
            target,
            since=parse_since(since) if since else None,
            account_ids=checked_account_ids(account or ()),
        )
    match output:
        case TextFormat.json:
            terminal.print_json(log.rows)
        case TextFormat.csv:
            print_csv(COLUMNS, log.rows)
        case _:
            report.print_changes(log.rows, log.account_names)


@app.command()
def findings(
    min_severity: Annotated[
        Severity, typer.Option("--min-severity", help="Leave out what is less dangerous.")
    ] = Severity.low,
    fail_on: Annotated[
        Severity | None,
        typer.Option("--fail-on", help="Exit with 4 if anything so dangerous, or more, is not waived."),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="Only this account; repeatable.")
    ] = None,
    waivers: WaiversFile = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    output: RowsFormat = TextFormat.table,
) -> None:
    """Show which clients are dangerous, why, and how to mend it.

    Judges what the last sync stored. A rule says nothing of a client that lacks what it would judge.

    Example: `cloudflare-oauth findings --min-severity high`

    Exit codes: 0 shown, 1 failed, 2 wrong usage, 4 `--fail-on` found something.
    """
    from ..analysis.findings import COLUMNS, read_findings

    with _reported_errors():
        target = Target(destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name)
        account_ids = checked_account_ids(account or ())
        found = read_findings(target, waivers=load_waivers(waivers), account_ids=account_ids)
    shown = found.at_least(min_severity)
    match output:
        case TextFormat.json:
            terminal.print_json(shown.rows)
        case TextFormat.csv:
            print_csv(COLUMNS, shown.rows)
        case _:
            report.print_findings(shown)
    if fail_on and found.at_least(fail_on).is_open:
        raise typer.Exit(ExitCode.FOUND)


@app.command()
def check(
    account: Accounts = None,
    exclude_account: Excluded = None,
    concurrency: Concurrency = DEFAULT_CONCURRENCY,
    quota_share: QuotaShare = DEFAULT_QUOTA_SHARE,
    output: OutputFormat = Format.table,
) -> None:
    """Say which accounts the credentials see, and which of them let their OAuth clients be read.

    Makes one request an account and writes nothing.

    Example: `CLOUDFLARE_API_TOKEN=… cloudflare-oauth check`

    Exit codes: 0 all can be read, 1 none can or the credentials are bad, 2 wrong usage, 3 some cannot.
    """
    from ..run.access_check import check as check_access

    with _reported_errors(), show_progress("off") as observer:
        found = check_access(
            account_ids=account,
            exclude_account_ids=exclude_account or (),
            concurrency=concurrency,
            quota_share=quota_share,
            observer=observer,
        )
    if output is Format.json:
        terminal.print_json([access.as_json() for access in found])
    else:
        report.print_access(found)
    granted = sum(access.granted for access in found)
    if granted == len(found) > 0:
        raise typer.Exit(ExitCode.COMPLETE)
    raise typer.Exit(ExitCode.PARTIAL if granted else ExitCode.FAILED)


@app.command()
def demo(
    db: Annotated[Path, typer.Option(metavar="PATH", help="DuckDB file to sync into.")] = Path("demo.duckdb"),
    days: Annotated[
        int, typer.Option(metavar="N", min=0, max=60, help="Let so many days pass, with a sync after each.")
    ] = DEFAULT_DAYS,
    output: OutputFormat = Format.table,
    progress: ProgressOption = ProgressMode.auto,
) -> None:
    """Sync from the bundled API: no token, no network.

    Starts a stand-in for Cloudflare's API on a free loopback port, with the OAuth clients of a made-up
    organisation, some of them risky, and syncs from it as `sync` would, day after day. Toward the end an
    account can no longer be read, and another has lost most of its clients at once.

    Example: `cloudflare-oauth demo --days 7`
    """
    target = Target(db=db, pipeline_name="cloudflare_oauth_demo")
    with _reported_errors(), show_progress(progress.value) as observer:
        if days:
            terminal.stderr().print(f"{days} days pass, each with a sync ...")
        summary = run_demo(target, days=days, observer=observer)
    if output is Format.json:
        terminal.print_json(summary.as_json())
    else:
        report.print_summary(summary, target)
        report.print_next_steps(target)
    # That an account cannot be read belongs to the story.
    raise typer.Exit(ExitCode.COMPLETE)


@app.command()
def explore(
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    waivers: WaiversFile = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; by default only this machine gets in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="The port to listen on; 0 is any free one.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open no browser.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write plain HTML pages into a folder, and serve nothing."),
    ] = None,
) -> None:
    """Open the notebooks on the dataset: inventory, security review, changes, health.

    Reads only. Prints the address, and serves it until Ctrl-C.

    Example: `cloudflare-oauth explore --db clients.duckdb`

    Exit codes: 0 done, 1 there is no dataset yet, 2 wrong usage, or the extra `notebooks` is not installed.
    """
    from ..app import server as notebooks

    with _reported_errors():
        target = Target(destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name)
        load_waivers(waivers)
        if export is not None:
            for file in notebooks.export(target, export, waivers=waivers):
                terminal.stdout().print(terminal.printable(file), soft_wrap=True)
            return
        if notebooks.is_open_to_others(host):
            terminal.complain("whoever can reach this machine can read the dataset", prefix="warning")
        notebooks.serve(
            target,
            waivers=waivers,
            host=host,
            port=port,
            open_browser=not no_browser,
            on_ready=lambda address: print(address, flush=True),
        )


@contextmanager
def _reported_errors() -> Iterator[None]:
    """Say in a sentence what a user can mend, and choose the exit code."""
    try:
        yield
    except (ConfigurationError, UsageError) as error:
        terminal.complain(str(error))
        raise typer.Exit(ExitCode.USAGE) from None
    except InterruptedSyncError as error:
        terminal.complain(str(error))
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except (CloudflareOAuthError, SyncError) as error:
        terminal.complain(str(error))
        raise typer.Exit(ExitCode.FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def main() -> int:
    """Run the command line; returns the exit code."""
    exit_code: int = ExitCode.COMPLETE
    try:
        try:
            app()
        except SystemExit as end:
            exit_code = end.code if isinstance(end.code, int) else ExitCode.FAILED
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        exit_code = ExitCode.FAILED
    return exit_code
