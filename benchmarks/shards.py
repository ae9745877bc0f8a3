"""Times one token against several, each with a quota of its own: `python -m benchmarks.shards --help`.

Every token sees all accounts. Each shard is synced in a process of its own, as by an orchestrator; what is
timed is all of it: listing, planning, and the syncs.
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from cloudflare_oauth import SyncSettings
from cloudflare_oauth_pipeline import Shard, Summary, Target, combine, list_accounts, plan_shards, sync
from tests.support.warehouses import Warehouse

from .contenders import clean_environment
from .datasets import empty_datasets
from .errors import BenchmarkError
from .rows import rows_of
from .server_process import Scenario, ServerProcess, Stats, serving


@dataclass(frozen=True)
class Run:
    """One run with that many tokens, and what the server counted; `shards` is the number of syncs."""

    shards: int
    seconds: float
    stats: Stats


def main() -> None:
    """Run the benchmark, and print its table."""
    given = _arguments()
    scenario = Scenario(
        accounts=given.accounts,
        clients_per_account=given.clients,
        quota_limit=given.quota_limit,
        quota_seconds=given.quota_seconds,
    )
    progress = Console(stderr=True)
    runs: dict[int, list[Run]] = {tokens: [] for tokens in given.tokens}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="benchmarks-") as name,
            serving(scenario) as server,
            empty_datasets(given.destination) as empty,
        ):
            for number in range(1, given.rounds + 1):
                for tokens in given.tokens:
                    progress.print(f"round {number} of {given.rounds}: {tokens} tokens")
                    folder = Path(name) / f"tokens-{tokens}-{number}"
                    folder.mkdir()
                    runs[tokens].append(_run(server, empty(folder), tokens, folder))
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    console = Console()
    console.print(
        f"{given.destination}: {given.accounts:,} accounts of {given.clients} clients, a quota of "
        f"{given.quota_limit} in {given.quota_seconds:g} s for each token, {given.rounds} rounds, "
        f"{os.cpu_count()} CPUs",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_table(runs))


def _run(server: ServerProcess, warehouse: Warehouse, number: int, folder: Path) -> Run:
    """List, plan and sync with that many tokens.

    Raises:
        BenchmarkError: a sync was not complete, or its tables do not hold as many rows as the server has.
    """
    server.reset_counts()
    settings = SyncSettings(base_url=server.base_url)
    started = time.perf_counter()
    tokens = [f"token_{index}" for index in range(number)]
    shards = plan_shards({token: list_accounts(settings, api_token=token) for token in tokens})
    sync_shard = partial(_sync, settings, warehouse.destination, warehouse.environment, folder)
    with ProcessPoolExecutor(len(shards), get_context("spawn")) as processes:
        summaries = list(processes.map(sync_shard, shards))
    seconds = time.perf_counter() - started
    total, stats, loaded = combine(summaries), server.stats(), rows_of(warehouse)
    if total.status != "complete" or loaded != stats.rows:
        raise BenchmarkError(f"{number} tokens: {total.status}; {loaded} of {stats.rows} are loaded")
    return Run(len(shards), seconds, stats)


def _sync(
    settings: SyncSettings, destination: str, environment: dict[str, str], folder: Path, shard: Shard
) -> Summary:
    """Sync a shard, in a process of its own."""
    os.environ.clear()
    os.environ.update(clean_environment(folder / shard.name) | environment)
    target = Target(destination=destination, pipeline_name=shard.name)
    return sync(target, shard.settings(settings, api_token=shard.token))


def _table(runs: dict[int, list[Run]]) -> Table:
    """One row per number of tokens: medians of the seconds, the totals of what was refused."""
    table = Table()
    for column in ("tokens", "syncs", "wall s", "faster", "requests", "refused"):
        table.add_column(column, justify="right")
    seconds = {tokens: median(run.seconds for run in done) for tokens, done in runs.items()}
    first = next(iter(seconds.values()))
    for tokens, done in runs.items():
        table.add_row(
            f"{tokens}",
            f"{done[0].shards}",
            f"{seconds[tokens]:.1f}",
            f"{first / seconds[tokens]:.2f} x",
            f"{max(run.stats.requests for run in done)}",
            f"{sum(run.stats.violations for run in done)}",
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shards",
        description="Time one token against several, each with a quota of its own.",
    )
    parser.add_argument("--destination", choices=["postgres", "filesystem", "ducklake"], default="postgres")
    parser.add_argument("--tokens", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--accounts", type=int, default=400, metavar="N", help="default 400")
    parser.add_argument("--clients", type=int, default=60, metavar="N", help="of each account; default 60")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--quota-limit", type=int, default=40, metavar="N", help="requests; default 40")
    parser.add_argument("--quota-seconds", type=float, default=4, metavar="SECONDS", help="default 4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
