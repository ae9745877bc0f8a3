"""The results as a table and as JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.table import Table

from .rounds import Result
from .server_process import Scenario


def table(scenario: Scenario, results: Sequence[Result]) -> Table:
    """One row per contender: medians, except for the peak, which is the highest of all rounds."""
    made = Table()
    made.add_column("contender")
    limit = scenario.quota_limit
    columns = ["wall s", "CPU s", "peak MB", f"of {results[-1].contender.name}", "requests"]
    if limit is not None:
        columns += ["violations", "quota used"]
    for column in columns:
        made.add_column(column, justify="right")
    for result in results:
        cells = [
            f"{result.wall_seconds:.2f}",
            f"{result.cpu_seconds:.2f}",
            f"{result.peak_mb:.0f}",
            f"{result.wall_seconds / results[-1].wall_seconds:.2f} x",
            f"{result.requests}",
        ]
        if limit is not None:
            used = result.quota_used(limit)
            cells += [f"{result.violations}", "" if used is None else f"{used:.0%}"]
        made.add_row(result.contender.name, *cells)
    return made


def as_json(destination: str, scenario: Scenario, results: Sequence[Result]) -> dict[str, Any]:
    """Everything: scenario, machine, versions, and every single run of every contender."""
    limit = scenario.quota_limit
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "destination": destination,
        "compared_with": results[-1].contender.name,
        "scenario": asdict(scenario),
        "machine": {
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "load_average": os.getloadavg(),
        },
        "versions": {name: version(name) for name in ("cloudflare", "dlt", "duckdb", "httpx")},
        "contenders": [
            {
                "name": result.contender.name,
                "description": result.contender.description,
                "wall_seconds": result.wall_seconds,
                "cpu_seconds": result.cpu_seconds,
                "peak_mb": result.peak_mb,
                "ratio": result.wall_seconds / results[-1].wall_seconds,
                "requests": result.requests,
                "violations": result.violations,
                "quota_used": None if limit is None else result.quota_used(limit),
                "runs": [
                    {
                        **asdict(run.measurement),
                        "requests": run.stats.requests,
                        "violations": run.stats.violations,
                        "windows": run.stats.windows,
                    }
                    for run in result.runs
                ],
            }
            for result in results
        ],
        "rows": results[0].runs[0].stats.rows,
    }


def title(destination: str, scenario: Scenario, results: Sequence[Result]) -> str:
    """One line with the destination, the scenario, the number of rounds and the number of CPUs."""
    rows = sum(results[0].runs[0].stats.rows.values())
    parts = [
        f"{destination}: {scenario.accounts:,} accounts of {scenario.clients_per_account:,} clients",
        f"{rows:,} rows",
        f"{scenario.latency_ms:g} ms latency",
        f"{len(results[0].runs)} rounds",
        f"{os.cpu_count()} CPUs",
    ]
    if scenario.quota_limit is not None:
        parts.append(f"quota {scenario.quota_limit} in {scenario.quota_seconds:g} s")
    return ", ".join(parts)
