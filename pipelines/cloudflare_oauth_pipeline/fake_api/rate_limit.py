"""Cloudflare's rate limit: a number of requests per window, and a block for clients that exceed it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """The rate limit's verdict on one request; `retry_after_seconds` is None if it is allowed."""

    headers: dict[str, str]
    retry_after_seconds: int | None


class RateLimit:
    """Counts requests per window and reports what is left; refuses requests only if `enforced`.

    A window starts with its first request. Exceeding the limit blocks every request until the window
    ends, or for `block_seconds` if given, as Cloudflare does for 300 seconds.

    `used_by_others` requests of every window are spent before the first one arrives:
    the dashboard and the user's other tools share the limit.
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
        """The times, by the clock, of the requests that were refused."""
        self.windows: list[int] = []
        """The number of requests allowed in each window, the current one last."""
        self._clock = clock
        self._window_ends = -math.inf
        self._blocked_until = -math.inf

    def spend(self) -> Allowance:
        """Count one request, and allow or refuse it."""
        if not self.enforced:
            return Allowance(self._headers(self.limit - self.used_by_others, self.window_seconds), None)
        now = self._clock()
        if now < self._blocked_until:
            return self._refuse(now)
        if now >= self._window_ends:
            self._window_ends = now + self.window_seconds
            self.windows.append(0)
        left = self.limit - self.used_by_others - self.windows[-1]
        if left <= 0:
            self._blocked_until = (
                self._window_ends if self.block_seconds is None else now + self.block_seconds
            )
            self._window_ends = self._blocked_until
            return self._refuse(now)
        self.windows[-1] += 1
        return Allowance(self._headers(left - 1, self._window_ends - now), None)

    def _refuse(self, now: float) -> Allowance:
        self.violations.append(now)
        left_seconds = self._blocked_until - now
        headers = self._headers(0, left_seconds)
        # Rounded up, so that a client that waits for exactly that long does not come back too early.
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
    """A rate limit with Cloudflare's numbers in the headers that never refuses a request."""
    return RateLimit(enforced=False)
