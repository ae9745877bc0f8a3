"""Cloudflare's quota: so many requests a window, and a block for whoever asks for more."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """What the quota says to one request."""

    headers: dict[str, str]
    retry_after_seconds: int | None


class RateLimit:
    """Counts requests, and tells true headers; only an enforced one ever says no.

    A window starts with its first request. Going over the limit blocks until the window ends,
    or for `block_seconds` if given, as Cloudflare does for its 300.

    `used_by_others` requests of every window are gone before the first one arrives:
    the quota is shared with the dashboard and the user's other tools.
    """

    def __init__(
        self,
        limit: int = 1200,
        window_seconds: float = 300,
        *,
        block_seconds: float | None = None,
        enforced: bool = True,
        used_by_others: int = 0,
        has_headers: bool = True,
        has_retry_after: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self.block_seconds = block_seconds
        self.enforced = enforced
        self.used_by_others = used_by_others
        self.has_headers = has_headers
        self.has_retry_after = has_retry_after
        self.violations: list[float] = []
        """When requests were made that the quota did not allow, by the clock."""
        self.windows: list[int] = []
        """How many requests were made in each window, the present one last."""
        self._clock = clock
        self._window_ends = -math.inf
        self._blocked_until = -math.inf

    def spend(self) -> Allowance:
        """Count one request."""
        now = self._clock()
        if not self.enforced:
            return Allowance(self._headers(self.limit - self.used_by_others, self.window_seconds), None)
        if now < self._blocked_until:
            return self._violated(now)
        if now >= self._window_ends:
            self._window_ends = now + self.window_seconds
            self.windows.append(0)
        self.windows[-1] += 1
        left = self.limit - self.used_by_others - self.windows[-1]
        if left < 0:
            self._blocked_until = (
                self._window_ends if self.block_seconds is None else now + self.block_seconds
            )
            self._window_ends = self._blocked_until
            return self._violated(now)
        return Allowance(self._headers(left, self._window_ends - now), None)

    def _violated(self, now: float) -> Allowance:
        self.violations.append(now)
        left_seconds = self._blocked_until - now
        headers = self._headers(0, left_seconds)
        # a client that comes back after the seconds it was told must not be too early
        retry_after = math.ceil(left_seconds)
        if self.has_retry_after:
            headers["retry-after"] = str(retry_after)
        return Allowance(headers, retry_after)

    def _headers(self, left: int, reset_seconds: float) -> dict[str, str]:
        if not self.has_headers:
            return {}
        return {
            "ratelimit": f'"default";r={max(left, 0)};t={math.ceil(reset_seconds)}',
            "ratelimit-policy": f'"default";q={self.limit};w={math.ceil(self.window_seconds)}',
        }


def unlimited() -> RateLimit:
    """Cloudflare's numbers in the headers, and never a refusal."""
    return RateLimit(enforced=False)
