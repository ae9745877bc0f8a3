"""What a reader of the inventory may want to show while it lasts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AccountsFound:
    """The accounts to read are known."""

    accounts: int


@dataclass(frozen=True)
class RequestDone:
    """A request was answered (`http_status`) or not (None); `retry` if it repeated one that failed."""

    http_status: int | None
    retry: bool


@dataclass(frozen=True)
class Waiting:
    """For so many seconds more no request is made, and why."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class AccountDone:
    """An account was read, or could not be: its row of `account_syncs`."""

    account_sync: dict[str, Any]


@dataclass(frozen=True)
class Warned:
    """Something that has no row of its own in `account_syncs`; `partial` if anything is missing for it."""

    message: str
    partial: bool


Event = AccountsFound | RequestDone | Waiting | AccountDone | Warned
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Observe nothing."""
