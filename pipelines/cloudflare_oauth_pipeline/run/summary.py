"""The result of a sync: counted from its events, printed at its end, judged by its exit code."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

from cloudflare_oauth import ConfigurationError, events
from cloudflare_oauth.inventory import new_sync_id

CLIENT_COUNTS = ("listed", "created", "updated", "deleted", "unchanged", "baseline", "rejected")


class ExitCode(IntEnum):
    """The exit codes of `cloudflare-oauth`."""

    COMPLETE = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    FOUND = 4
    # As shells give them: 128, and the number of the signal. SIGHUP's is 129.
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a sync.

    `status` is `complete`, `partial` or `failed`; `accounts` has the number of accounts by status, `clients`
    the number of clients by what became of them; times are in seconds. `unread_accounts` are the accounts in
    the dataset that the sync neither read nor was told to exclude, sorted.
    """

    sync_id: str
    status: str
    accounts: Mapping[str, int]
    clients: Mapping[str, int]
    requests: int
    retries: int
    rate_limited: int
    waited_seconds: float
    duration_seconds: float
    unread_accounts: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the status."""
        return _EXIT_CODES[self.status]

    def as_json(self) -> dict[str, Any]:
        """The summary as a JSON object; `from_json` brings it back, with seconds to three places.

        `unread_accounts` is in it if there are any; `sync --format json` prints the rest.
        """
        unread = {"unread_accounts": list(self.unread_accounts)} if self.unread_accounts else {}
        return {
            "sync_id": self.sync_id,
            "status": self.status,
            "accounts": dict(self.accounts),
            "clients": dict(self.clients),
            "requests": self.requests,
            "retries": self.retries,
            "rate_limited": self.rate_limited,
            "waited_seconds": round(self.waited_seconds, 3),
            "duration_seconds": round(self.duration_seconds, 3),
            **unread,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The summary that `as_json` wrote.

        Raises:
            ConfigurationError: the document is not what `as_json` writes.
        """
        try:
            values = {**document, "unread_accounts": tuple(document.get("unread_accounts", ()))}
            found = cls(**values)
            if problem := _problem_of(found):
                raise ValueError(problem)
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigurationError(f"this is not the summary of a sync: {error}") from None
        return found


_EXIT_CODES = {
    "complete": ExitCode.COMPLETE,
    "partial": ExitCode.PARTIAL,
    "failed": ExitCode.FAILED,
}


def _problem_of(summary: Summary) -> str | None:
    """What cannot be in a summary, as a document may have been written by any program."""
    if not isinstance(summary.sync_id, str):
        return "sync_id is no text"
    if not isinstance(summary.status, str) or summary.status not in _EXIT_CODES:
        return f"status is {summary.status!r}"
    for name in ("accounts", "clients"):
        counts = getattr(summary, name)
        if not isinstance(counts, Mapping) or not all(type(count) is int for count in counts.values()):
            return f"{name} has no counts"
    if missing := [name for name in CLIENT_COUNTS if name not in summary.clients]:
        return f"clients lacks {', '.join(missing)}"
    for name in ("requests", "retries", "rate_limited"):
        if type(getattr(summary, name)) is not int:
            return f"{name} is no number"
    for name in ("waited_seconds", "duration_seconds"):
        if type(getattr(summary, name)) not in (int, float):
            return f"{name} is no number"
    if not all(isinstance(account_id, str) for account_id in summary.unread_accounts):
        return "unread_accounts has no account ids"
    return None


@dataclass
class Tally:
    """Counts the events of one sync while it runs.

    If the reader is a thread of this process, that thread reports requests and the main thread reports
    accounts, so no counter has two writers.
    """

    sync_id: str = field(default_factory=new_sync_id)
    total_accounts: int = 0
    unread_accounts: tuple[str, ...] = ()
    accounts: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    waited_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    accounts_loaded: int = 0
    failed: bool = False
    _done: dict[str, events.AccountDone] = field(default_factory=dict)
    _problems: int = 0
    _is_partial: bool = False
    _usable_responses: int = 0

    def observe(self, event: events.Event) -> None:
        """Count an event."""
        match event:
            case events.AccountsFound(accounts, unread):
                self.total_accounts = accounts
                self.unread_accounts = unread
            case events.RequestDone(http_status, retry):
                self.requests += 1
                self.retries += retry
                self.rate_limited += http_status == 429
                # Any status but 401 shows that the API can be reached and accepts the credentials.
                self._usable_responses += http_status is not None and http_status != 401
            case events.Waiting(seconds, _):
                self.waited_seconds += seconds
            case events.AccountDone(account_id=account_id):
                # An account that another sync has overtaken is read again.
                if earlier := self._done.get(account_id):
                    self._count(earlier, -1)
                self._done[account_id] = event
                self._count(event, 1)
            case events.Warned(_, partial):
                self._is_partial = self._is_partial or partial

    def _count(self, account: events.AccountDone, sign: int) -> None:
        self.accounts[account.status] += sign
        for name in CLIENT_COUNTS:
            self.clients[name] += sign * getattr(account, name)
        self._problems += sign * (account.error_message is not None)

    def mark_loaded(self) -> None:
        """Note that everything read so far is loaded."""
        self.accounts_loaded = self.accounts.total()

    @property
    def status(self) -> str:
        """`complete`, `partial` or `failed`."""
        if self.failed or (self._problems and not self._usable_responses):
            return "failed"
        return "partial" if self._problems or self._is_partial else "complete"

    def summary(self) -> Summary:
        """The result so far."""
        return Summary(
            sync_id=self.sync_id,
            status=self.status,
            accounts=dict(sorted((+self.accounts).items())),
            clients={name: self.clients[name] for name in CLIENT_COUNTS},
            requests=self.requests,
            retries=self.retries,
            rate_limited=self.rate_limited,
            waited_seconds=self.waited_seconds,
            duration_seconds=time.monotonic() - self.started,
            unread_accounts=self.unread_accounts,
        )
