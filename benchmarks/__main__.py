"""The command line, `python -m benchmarks`."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from . import report
from .contenders import DESTINATIONS, contenders
from .errors import BenchmarkError
from .rounds import run_rounds
from .server_process import Scenario


def main() -> None:
    """Run the benchmark, print its table and write the JSON if `--json` is given."""
    given = _arguments()
    limit, seconds = given.quota or (None, 300.0)
    scenario = Scenario(
        accounts=given.accounts,
        clients_per_account=given.clients,
        latency_ms=given.latency_ms,
        quota_limit=limit,
        quota_seconds=seconds,
    )
    destination = given.destination
    chosen = [one for one in contenders(destination) if not given.only or one.name in given.only]
    progress = Console(stderr=True)
    try:
        results = run_rounds(
            scenario, chosen, destination=destination, rounds=given.rounds, report_progress=progress.print
        )
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    console = Console()
    console.print(report.title(destination, scenario, results), highlight=False, soft_wrap=True)
    console.print(report.table(scenario, results))
    if given.json:
        given.json.write_text(json.dumps(report.as_json(destination, scenario, results), indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    names = list(dict.fromkeys(one.name for destination in DESTINATIONS for one in contenders(destination)))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time a sync against other ways to load the same tables."
    )
    parser.add_argument(
        "--destination", choices=DESTINATIONS, default="duckdb", help="where to load; default duckdb"
    )
    parser.add_argument(
        "--accounts", type=_count, default=20, metavar="N", help="accounts served; default 20"
    )
    parser.add_argument(
        "--clients", type=_count, default=1_000, metavar="N", help="clients per account; default 1000"
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0, metavar="MS", help="delay of every response; default 0"
    )
    parser.add_argument("--rounds", type=_count, default=3, metavar="N", help="runs per contender; default 3")
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="NAME", help=f"run only these: {', '.join(names)}"
    )
    parser.add_argument(
        "--quota", type=_quota, metavar="LIMIT/SECONDS", help="rate limit that the server enforces"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the results as JSON")
    given = parser.parse_args()
    if given.only and not set(given.only) & {one.name for one in contenders(given.destination)}:
        parser.error(f"none of {', '.join(given.only)} loads into {given.destination}")
    return given


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _quota(text: str) -> tuple[int, float]:
    limit, _, seconds = text.partition("/")
    try:
        return _count(limit), float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not LIMIT/SECONDS, such as 1200/300") from None


if __name__ == "__main__":
    main()
