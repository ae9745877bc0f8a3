"""The commands of `cloudflare-oauth`.

A command imports what it needs when it is called: dlt takes half a second, and `--help` needs none of it.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cloudflare_oauth import (
    CloudflareOAuthError,
    ConfigurationError,
    InterruptedSyncError,
    SyncSettings,
    checked_account_ids,
)

from ..analysis.waivers import load_waivers
from ..demo.story import DEFAULT_DAYS, run_demo
from ..destinations.target import DEFAULT_DATASET, DEFAULT_PIPELINE_NAME, Target
from ..run.summary import ExitCode, Summary, Tally
from ..safe_text import printable
from ..shortages import shortage_of
from .durations import parse_age, parse_since
from .options import (
    Accounts,
    AllowedHosts,
    Concurrency,
    Dataset,
    Db,
    Destination,
    Excluded,
    Format,
    MaxDeleteFraction,
    NoToken,
    OnlyAccounts,
    OutputFormat,
    PipelineName,
    ProgressMode,
    ProgressOption,
    QuotaShare,
    RowsFormat,
    Severity,
    TextFormat,
    WaiversFile,
    target_of,
)
from .output import console, tables
from .output.csv import print_csv
from .progress import show_progress
from .streams import flush_streams

# Measured on two cores: a demo of 21 days takes some 15 seconds.
SECONDS_FOR_A_START = 2
SECONDS_PER_DAY = 0.6

_NO_ACCOUNT = "the credentials see no account, or every account that they see is excluded"

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
    context: typer.Context,
    account: Accounts = None,
    exclude_account: Excluded = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    concurrency: Concurrency = SyncSettings.concurrency,
    quota_share: QuotaShare = SyncSettings.quota_share,
    max_delete_fraction: MaxDeleteFraction = SyncSettings.max_delete_fraction,
    resume: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Skip accounts read completely within this age (`6h`, `2d`)."),
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
    tally = Tally()
    with _reported_errors(), show_progress(progress.value) as observer:
        target = target_of(
            context, destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name
        )
        settings = SyncSettings(
            account_ids=tuple(account) if account else None,
            exclude_account_ids=tuple(exclude_account or ()),
            concurrency=concurrency,
            quota_share=quota_share,
            max_delete_fraction=max_delete_fraction,
            resume_within=parse_age(resume) if resume else None,
        )
        waivers_given = load_waivers(waivers)
        # Only this command needs it.
        from ..run.early_reading import begin_to_read

        try:
            with begin_to_read(target, settings, dry_run=dry_run) as open_reader:
                # It imports dlt, while the other process reads.
                from ..run.sync import sync as run_sync

                summary = run_sync(
                    target,
                    settings,
                    waivers=waivers_given,
                    dry_run=dry_run,
                    open_reader=open_reader,
                    observer=observer,
                    tally=tally,
                )
        except ConfigurationError:
            raise
        except CloudflareOAuthError:
            if output is Format.json:
                _print_as_json(tally.summary())
            raise
        except KeyboardInterrupt as interrupt:
            # It came while dlt was being imported.
            tally.failed = True
            if output is Format.json:
                _print_as_json(tally.summary())
            raise InterruptedSyncError.by(interrupt, "the next sync does what is left") from None
    _print_summary(summary, target, output, dry_run=dry_run)
    raise typer.Exit(summary.exit_code)


def _print_summary(summary: Summary, target: Target, output: Format, *, dry_run: bool = False) -> None:
    if output is Format.json:
        _print_as_json(summary)
    else:
        tables.print_summary(summary, target, dry_run=dry_run)


def _print_as_json(summary: Summary) -> None:
    # With the same keys every time; what is not read any more has been warned of.
    console.print_json(replace(summary, unread_accounts=()).as_json())


@app.command()
def changes(
    context: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only changes seen since an age (`12h`, `7d`, `2w`) or a date."),
    ] = None,
    account: OnlyAccounts = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    output: RowsFormat = TextFormat.table,
) -> None:
    """Show the change log: which clients were created, updated and deleted, and what changed.

    A change is logged when a sync first sees it. `baseline` is what an account's first complete sync found.

    Example: `cloudflare-oauth changes --since 7d`
    """
    # It imports dlt.
    from ..analysis.change_log import COLUMNS, read_changes

    with _reported_errors():
        target = target_of(
            context, destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name
        )
        log = read_changes(
            target,
            since=parse_since(since) if since else None,
            account_ids=checked_account_ids(account or ()),
        )
    match output:
        case TextFormat.json:
            console.print_json(log.rows)
        case TextFormat.csv:
            print_csv(COLUMNS, log.rows)
        case _:
            tables.print_changes(log.rows, log.account_names)


@app.command()
def findings(
    context: typer.Context,
    min_severity: Annotated[
        Severity,
        typer.Option("--min-severity", help="Show only findings with this severity or a higher one."),
    ] = Severity.low,
    fail_on: Annotated[
        Severity | None,
        typer.Option(
            "--fail-on", help="Exit with code 4 if an unwaived finding has this severity or higher."
        ),
    ] = None,
    account: OnlyAccounts = None,
    waivers: WaiversFile = None,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    output: RowsFormat = TextFormat.table,
) -> None:
    """Show which clients are dangerous, why, and how to fix them.

    Evaluates what the last sync stored. A rule says nothing about a client that lacks the fields it requires.
    Waivers that are expired or match nothing are named on standard error.

    Example: `cloudflare-oauth findings --min-severity high`

    Exit codes: 0 shown, 1 failed, 2 wrong usage, 3 `--fail-on` where no account was ever read
    completely, 4 `--fail-on` found something.
    """
    # It imports dlt.
    from ..analysis.findings import COLUMNS, read_findings

    with _reported_errors():
        target = target_of(
            context, destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name
        )
        account_ids = checked_account_ids(account or ())
        found = read_findings(target, waivers=load_waivers(waivers), account_ids=account_ids)
    shown = found.at_least(min_severity)
    match output:
        case TextFormat.json:
            console.print_json(shown.rows)
        case TextFormat.csv:
            print_csv(COLUMNS, shown.rows)
        case _:
            tables.print_findings(shown)
    tables.print_idle_waivers(found)
    if fail_on and found.at_least(fail_on).is_open:
        raise typer.Exit(ExitCode.FOUND)
    if fail_on and not found.is_based_on_a_reading:
        accounts = "none of these accounts" if account else "no account"
        console.complain(f"{accounts} was ever read completely, so that there are no findings proves nothing")
        raise typer.Exit(ExitCode.PARTIAL)


@app.command()
def check(
    account: Accounts = None,
    exclude_account: Excluded = None,
    concurrency: Concurrency = SyncSettings.concurrency,
    quota_share: QuotaShare = SyncSettings.quota_share,
    output: OutputFormat = Format.table,
) -> None:
    """Show which accounts the credentials see, and whether they may read each account's OAuth clients.

    Sends one request per account and writes nothing.

    Example: `CLOUDFLARE_API_TOKEN=… cloudflare-oauth check`

    Exit codes: 0 all can be read, 1 none can or the credentials are bad, 2 wrong usage, 3 some cannot.
    """
    # Only this command needs it.
    from ..run.access_check import check_access

    with _reported_errors(), show_progress("off") as observer:
        settings = SyncSettings(
            account_ids=tuple(account) if account else None,
            exclude_account_ids=tuple(exclude_account or ()),
            concurrency=concurrency,
            quota_share=quota_share,
        )
        found = check_access(settings, observer=observer)
    if output is Format.json:
        console.print_json([access.as_json() for access in found])
    else:
        tables.print_access(found)
    if not found:
        console.complain(_NO_ACCOUNT)
    granted = sum(access.granted for access in found)
    if granted == len(found) > 0:
        raise typer.Exit(ExitCode.COMPLETE)
    raise typer.Exit(ExitCode.PARTIAL if granted else ExitCode.FAILED)


@app.command()
def accounts(exclude_account: Excluded = None, output: RowsFormat = TextFormat.table) -> None:
    """List the accounts that the credentials see, by id, with their names.

    Says nothing about whether they can be read, which `check` does, and writes nothing.

    Example: `CLOUDFLARE_API_TOKEN=… cloudflare-oauth accounts --format csv`

    Exit codes: 0 listed, 1 failed, or there is no account, 2 wrong usage.
    """
    # Only this command needs it.
    from ..run.shards import list_accounts

    with _reported_errors(), show_progress("off") as observer:
        settings = SyncSettings(exclude_account_ids=tuple(exclude_account or ()))
        found = list_accounts(settings, observer=observer)
    rows = [{"account_id": account.id, "name": account.name} for account in found]
    match output:
        case TextFormat.json:
            console.print_json(rows)
        case TextFormat.csv:
            print_csv(("account_id", "name"), rows)
        case _:
            tables.print_accounts(found)
    if not found:
        console.complain(_NO_ACCOUNT)
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def demo(
    db: Annotated[Path, typer.Option(metavar="PATH", help="DuckDB file to sync into.")] = Path("demo.duckdb"),
    days: Annotated[
        int, typer.Option(metavar="N", min=0, max=60, help="Number of days to play, with a sync after each.")
    ] = DEFAULT_DAYS,
    output: OutputFormat = Format.table,
    progress: ProgressOption = ProgressMode.auto,
) -> None:
    """Sync from a bundled fake API: no token, no network.

    Starts a stand-in for Cloudflare's API on a free loopback port, with the OAuth clients of a made-up
    organisation, some of them risky, and syncs from it as `sync` would, day after day. Towards the end, one
    account can no longer be read, and another has lost most of its clients at once.

    Example: `cloudflare-oauth demo --days 7`
    """
    target = Target(db=db, pipeline_name="cloudflare_oauth_demo")
    with _reported_errors(), show_progress(progress.value) as observer:
        if days:
            seconds = SECONDS_FOR_A_START + SECONDS_PER_DAY * days
            console.stderr().print(
                f"Playing {days} days with a sync after each; about {seconds:.0f} seconds ..."
            )
        summary = run_demo(target, days=days, observer=observer)
    _print_summary(summary, target, output)
    if output is Format.table:
        # Not at the top: it opens the dataset by way of dlt.
        from .output.next_steps import print_next_steps

        with _reported_errors():
            print_next_steps(target)
    # An account that cannot be read is part of the story.
    raise typer.Exit(ExitCode.COMPLETE)


@app.command()
def explore(
    context: typer.Context,
    destination: Destination = "duckdb",
    db: Db = None,
    dataset: Dataset = DEFAULT_DATASET,
    pipeline_name: PipelineName = DEFAULT_PIPELINE_NAME,
    waivers: WaiversFile = None,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Address to listen on; by default only this machine can connect."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 0,
    allow_host: AllowedHosts = None,
    no_token: NoToken = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address without opening a browser.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write plain HTML pages to a folder instead of serving them."),
    ] = None,
) -> None:
    """Open the dataset in the browser: inventory, security review, changes, health.

    Reads only. Prints the address and serves the pages until Ctrl-C. The address has an access token in it, a
    new one for each start: treat it like a password. The browser keeps a cookie instead.

    Example: `cloudflare-oauth explore --db clients.duckdb`

    Exit codes: 0 done, 1 there is no dataset yet, 2 wrong usage, or the extra `notebooks` is not installed.
    """
    # Only this command needs them.
    from ..app import export as pages
    from ..app import server

    with _reported_errors():
        target = target_of(
            context, destination=destination, db=db, dataset=dataset, pipeline_name=pipeline_name
        )
        load_waivers(waivers)
        if export is not None:
            for file in pages.export(target, export, waivers=waivers):
                console.stdout().print(printable(file), soft_wrap=True)
            return
        if no_token:
            console.complain(
                "no token: everyone who can reach this port can read the dataset", prefix="warning"
            )
        elif server.is_open_to_others(host):
            console.complain(
                "the pages and the token cross the network unencrypted, unless a proxy in front uses TLS",
                prefix="warning",
            )
        server.serve(
            target,
            waivers=waivers,
            host=host,
            port=port,
            allowed_hosts=allow_host or (),
            with_token=not no_token,
            open_browser=not no_browser,
            on_ready=lambda address: print(address, flush=True),
        )


@contextmanager
def _reported_errors() -> Iterator[None]:
    """Print an error as one sentence and exit with its code."""
    try:
        yield
    except ConfigurationError as error:
        console.complain(str(error))
        raise typer.Exit(ExitCode.USAGE) from None
    except InterruptedSyncError as error:
        console.complain(str(error))
        raise typer.Exit(_exit_code_of(error.signal_code)) from None
    except CloudflareOAuthError as error:
        console.complain(str(error))
        raise typer.Exit(ExitCode.FAILED) from None
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(_exit_code_of(getattr(interrupt, "signal_code", signal.SIGINT))) from None
    except Exception as error:
        if not (shortage := shortage_of(error)):
            raise
        console.complain(shortage)
        raise typer.Exit(ExitCode.FAILED) from None


def _exit_code_of(signal_code: int) -> int:
    """The exit code of a program that a signal has ended, as shells give it."""
    return 128 + signal_code


def _of_the_system(error: OSError) -> str:
    """What the system refused, and where."""
    try:
        os.getcwd()
    except OSError as gone:
        return f"the current folder cannot be used ({gone.strerror}): change into another one"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def main() -> int:
    """Run the command line; returns the exit code."""
    exit_code: int = ExitCode.COMPLETE
    try:
        app()
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else ExitCode.FAILED
    except OSError as error:
        console.complain(_of_the_system(error))
        exit_code = ExitCode.FAILED
    if failed := flush_streams():
        console.complain(f"the result could not be written to standard output: {failed.strerror}")
        exit_code = exit_code or ExitCode.FAILED
        flush_streams()
    return exit_code
