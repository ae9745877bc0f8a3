"""Shows the progress of a sync: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cloudflare_oauth import events

from ..safe_text import printable
from .output.console import ProblemsOfAccounts, stderr

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def show_progress(mode: str) -> Iterator[events.Observer]:
    """An observer that prints events to standard error.

    Args:
        mode: `auto`, or `off` to print only problems.
    """
    console = stderr()
    problems = _Problems(console)
    try:
        with _observer(mode, console, problems) as observer:
            yield observer
    finally:
        problems.sum_up()


@contextmanager
def _observer(mode: str, console: Console, problems: "_Problems") -> Iterator[events.Observer]:
    if mode == "off":
        yield problems.observe
    elif console.is_terminal:
        with Progress(
            # The usual one is made of characters that few encodings have.
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("accounts"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[found]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as progress:
            yield _Live(progress, problems).observe
    else:
        yield _Lines(console, problems).observe


class _Counts:
    """The counts that both forms show."""

    def __init__(self) -> None:
        self.accounts = self.done = self.clients = self.requests = 0

    def count(self, event: events.Event) -> None:
        match event:
            case events.AccountsFound(accounts):
                self.accounts = accounts
            case events.RequestDone():
                self.requests += 1
            case events.AccountDone(listed=listed):
                self.done += 1
                self.clients += listed

    def __str__(self) -> str:
        return f"{self.clients} clients, {self.requests} requests"


class _Live:
    def __init__(self, progress: Progress, problems: "_Problems") -> None:
        self._progress = progress
        self._problems = problems
        self._task = progress.add_task("accounts", total=None, found="")
        self._counts = _Counts()

    def observe(self, event: events.Event) -> None:
        self._counts.count(event)
        if isinstance(event, events.Waiting):
            _print_wait(self._progress.console, event)
        self._problems.observe(event)
        self._progress.update(
            self._task,
            total=self._counts.accounts or None,
            completed=self._counts.done,
            found=str(self._counts),
        )


class _Lines:
    def __init__(self, console: Console, problems: "_Problems") -> None:
        self._console = console
        self._problems = problems
        self._counts = _Counts()
        self._last_line = time.monotonic()

    def observe(self, event: events.Event) -> None:
        self._counts.count(event)
        self._problems.observe(event)
        if isinstance(event, events.Waiting):
            _print_wait(self._console, event)
        elif isinstance(event, events.AccountsFound):
            self._console.print(f"reading {event.accounts} accounts")
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            counts = self._counts
            listed = f"{counts.done} of {counts.accounts} accounts" if counts.accounts else "listing accounts"
            self._console.print(f"{listed}, {counts}")


def _print_wait(console: Console, event: events.Waiting) -> None:
    console.print(f"waiting {event.seconds:.0f} s: {event.reason}")


class _Problems:
    """Prints problems as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._accounts = ProblemsOfAccounts(console)

    def observe(self, event: events.Event) -> None:
        match event:
            case events.Warned(message, _):
                self._console.print("warning:", printable(message))
            case events.AccountDone(account_id=account_id, status=status, error_message=str(message)):
                self._accounts.add(status, account_id, message)

    def sum_up(self) -> None:
        """Say how many accounts were not named."""
        self._accounts.sum_up()
