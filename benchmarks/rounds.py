"""Runs every contender in turn, several times, each on a fresh dataset, and checks what it loaded."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.support.warehouses import DuckDB, Warehouse

from .contenders import Contender, environment, first_sync
from .datasets import empty_datasets, provide_extensions
from .errors import BenchmarkError
from .measurement import Measurement, measured
from .rows import rows_of
from .server_process import Scenario, ServerProcess, Stats, serving


@dataclass(frozen=True)
class Run:
    """One run of a contender: what it used, and what the server counted."""

    measurement: Measurement
    stats: Stats


@dataclass(frozen=True)
class Result:
    """All runs of a contender."""

    contender: Contender
    runs: list[Run] = field(default_factory=list)

    @property
    def wall_seconds(self) -> float:
        """The median of all runs."""
        return median(run.measurement.wall_seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """The median of all runs."""
        return median(run.measurement.cpu_seconds for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """The highest of all runs."""
        return max(run.measurement.peak_mb for run in self.runs)

    @property
    def requests(self) -> int:
        """The largest number in one run."""
        return max(run.stats.requests for run in self.runs)

    @property
    def violations(self) -> int:
        """The total of all runs."""
        return sum(run.stats.violations for run in self.runs)

    def quota_used(self, limit: int) -> float | None:
        """The share of the rate limit used in completed windows; None if no window was completed."""
        windows = [requests for run in self.runs for requests in run.stats.windows]
        return sum(windows) / len(windows) / limit if windows else None


def run_rounds(
    scenario: Scenario,
    contenders: Sequence[Contender],
    *,
    destination: str = "duckdb",
    rounds: int,
    report_progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Run every contender once per round.

    Raises:
        BenchmarkError: a contender failed, or its tables do not hold as many rows as the server has.
    """
    results = [Result(contender) for contender in contenders]
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-") as name,
        serving(scenario) as server,
        empty_datasets(destination) as empty,
    ):
        base = Path(name)
        synced: Warehouse | None = None
        if any(contender.starts_synced for contender in contenders):
            report_progress("first sync, for the contenders that start with one")
            synced = empty(_folder(base, "synced"))
            _run(first_sync(destination), server, synced, base / "synced")
        for number in range(1, rounds + 1):
            for result in results:
                contender = result.contender
                report_progress(f"round {number} of {rounds}: {contender.name}")
                folder = _folder(base, f"{contender.name}-{number}")
                if contender.starts_synced:
                    assert synced is not None  # noqa: S101 - it is wanted above
                    warehouse = synced.copied(f"{folder.name}-copy")
                else:
                    warehouse = empty(folder)
                result.runs.append(_run(contender, server, warehouse, folder))
    return results


def _folder(base: Path, name: str) -> Path:
    """A new folder; it is the home of a contender."""
    folder = base / name
    folder.mkdir()
    return folder


def _run(contender: Contender, server: ServerProcess, warehouse: Warehouse, folder: Path) -> Run:
    if warehouse.destination == "ducklake":
        provide_extensions(folder)
    where = dict(warehouse.environment)
    if isinstance(warehouse, DuckDB):
        # As with --db: where dlt's variable names the file, dlt has to be asked before anything is read.
        where["CLOUDFLARE_OAUTH_DB"] = str(warehouse.file)
    server.reset_counts()
    measurement = measured(
        contender.command,
        environment={**environment(contender, server.base_url, folder), **where},
        folder=folder,
    )
    stats = server.stats()
    loaded = rows_of(warehouse)
    if loaded != stats.rows:
        raise BenchmarkError(f"{contender.name} loaded {loaded}; the server has {stats.rows}")
    return Run(measurement, stats)
