"""Progress events, emitted while an inventory runs."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class AccountsFound:
    """The accounts to read are known; `accounts` is their number.

    `unread` has the ids of the accounts in the dataset that are neither read nor excluded, sorted.
    """

    accounts: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestDone:
    """A request ended.

    `http_status` is None if no response arrived; `retry` tells whether it repeated a failed request.
    """

    http_status: int | None
    retry: bool


@dataclass(frozen=True)
class Waiting:
    """No request is made for so many more seconds; `reason` says why."""

    seconds: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class AccountDone:
    """An account was read, or could not be; the fields are columns of its row in `account_syncs`."""

    account_id: str
    status: str
    error_message: str | None = None
    listed: int = 0
    baseline: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Warned:
    """A problem without a row of its own in `account_syncs`.

    `partial` is true if it makes the inventory incomplete.
    """

    message: str
    partial: bool


Event = AccountsFound | RequestDone | Waiting | AccountDone | Warned
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Observe nothing."""
