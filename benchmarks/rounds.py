"""Runs every contender in turn, several times, each on a fresh database, and checks what it loaded."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .contenders import SYNC_FIRST, Contender, environment
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
        windows = [requests for run in self.runs for requests in run.stats.windows[:-1]]
        return sum(windows) / len(windows) / limit if windows else None


def run_rounds(
    scenario: Scenario,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    report_progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Run every contender once per round.

    Raises:
        BenchmarkError: a contender failed, or its tables do not hold as many rows as the server has.
    """
    results = [Result(contender) for contender in contenders]
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name, serving(scenario) as server:
        synced = Path(name) / "synced.duckdb"
        if any(contender.starts_synced for contender in contenders):
            report_progress("first sync, for the contenders that start with one")
            with _database(synced) as db:
                _run(SYNC_FIRST, server, db)
                shutil.copyfile(db, synced)
        for number in range(1, rounds + 1):
            for result in results:
                report_progress(f"round {number} of {rounds}: {result.contender.name}")
                with _database(synced if result.contender.starts_synced else None) as db:
                    result.runs.append(_run(result.contender, server, db))
    return results


@contextmanager
def _database(content: Path | None) -> Iterator[Path]:
    """The path of a database in a temporary folder of its own: new, or a copy of `content`."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        db = Path(folder) / "clients.duckdb"
        if content is not None and content.exists():
            shutil.copyfile(content, db)
        yield db


def _run(contender: Contender, server: ServerProcess, db: Path) -> Run:
    server.reset_counts()
    measurement = measured(
        contender.command(db),
        environment=environment(contender, server.base_url, db.parent),
        folder=db.parent,
    )
    stats = server.stats()
    loaded = rows_of(db)
    if loaded != stats.rows:
        raise BenchmarkError(f"{contender.name} loaded {loaded}; the server has {stats.rows}")
    return Run(measurement, stats)
