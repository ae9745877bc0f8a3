"""Which API to ask, as whom, how fast and how patiently."""

import ipaddress
from dataclasses import dataclass, field

DEFAULT_CONCURRENCY = 8
DEFAULT_QUOTA_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An API token, or the legacy pair of email and global API key; never shown by `repr`."""

    api_token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The request headers that carry the credentials."""
        if self.api_token:
            return {"Authorization": f"Bearer {self.api_token}"}
        return {"X-Auth-Email": self.email or "", "X-Auth-Key": self.api_key or ""}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown or stored."""
        return tuple(value for value in (self.api_token, self.api_key) if value)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which API to ask, as whom, about which accounts (None: every account that is listed)."""

    base_url: str
    credentials: Credentials
    account_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a request may take and how often it is tried; seconds.

    After so many requests `unanswered_in_a_row`, for so long, or `refused_in_a_row` with 429, of any
    account, nobody asks any more.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    attempts: int = 5
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 20.0
    backoff_budget_seconds: float = 60.0
    unanswered_in_a_row: int = 40
    unanswered_seconds: float = 300.0
    refused_in_a_row: int = 50


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
