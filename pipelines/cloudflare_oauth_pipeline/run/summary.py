"""What a sync came to: counted while it runs, shown at the end, judged by the exit code."""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from cloudflare_oauth import events

CLIENT_COUNTS = ("listed", "created", "updated", "deleted", "unchanged", "baseline", "rejected")


class ExitCode(IntEnum):
    """What a scheduler sees."""

    COMPLETE = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    FOUND = 4
    # As every shell says it; outside the contract of the others.
    INTERRUPTED = 130


@dataclass
class Summary:
    """Counts of one sync; an observer of the source, which may be told from two threads.

    If requests are made on a thread of this process, that one counts them, and the one that compares counts
    accounts; so no counter has two writers.
    """

    sync_id: str
    total_accounts: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    problems: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    waited_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    duration_seconds: float = 0.0
    failed: bool = False
    partial: bool = False
    usable_answers: int = 0
    accounts_loaded: int = 0

    def observe(self, event: events.Event) -> None:
        """Count an event of the source."""
        match event:
            case events.AccountsFound(accounts):
                self.total_accounts = accounts
            case events.RequestDone(http_status, retry):
                self.requests += 1
                self.retries += retry
                self.rate_limited += http_status == 429
                # Anything but a refusal of the credentials shows that they and the API are good.
                self.usable_answers += http_status is not None and http_status != 401
            case events.Waiting(seconds, _):
                self.waited_seconds += seconds
            case events.AccountDone(row):
                self.accounts[row["status"]] += 1
                self.clients.update({name: row[name] for name in CLIENT_COUNTS})
                if row.get("error_message"):
                    self.problems.append(row)
            case events.Warned(message, partial):
                self.warnings.append(message)
                self.partial = self.partial or partial

    @property
    def status(self) -> str:
        """`complete`, `partial` or `failed`."""
        if self.failed or (self.problems and not self.usable_answers):
            return "failed"
        return "partial" if self.problems or self.partial else "complete"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the status."""
        return {
            "complete": ExitCode.COMPLETE,
            "partial": ExitCode.PARTIAL,
            "failed": ExitCode.FAILED,
        }[self.status]

    def finish(self) -> None:
        """Stop the clock."""
        self.duration_seconds = time.monotonic() - self.started

    def as_json(self) -> dict[str, Any]:
        """The summary as `sync --format json` prints it."""
        return {
            "sync_id": self.sync_id,
            "status": self.status,
            "accounts": dict(sorted(self.accounts.items())),
            "clients": {name: self.clients[name] for name in CLIENT_COUNTS},
            "requests": self.requests,
            "retries": self.retries,
            "rate_limited": self.rate_limited,
            "waited_seconds": round(self.waited_seconds, 3),
            "duration_seconds": round(self.duration_seconds, 3),
        }
