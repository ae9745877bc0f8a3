"""A quota as Cloudflare enforces it: so many requests a window, and a block for whoever asks for more."""

import math
import time
from collections.abc import Callable

# What is told if nothing is enforced: Cloudflare's own numbers, all of them left.
_UNUSED = b'Ratelimit: "default";r=1200;t=300\r\nRatelimit-Policy: "default";q=1200;w=300\r\n'


class RateLimit:
    """Counts requests, and says what is left of a limit; without a limit it never refuses.

    A window starts with its first request. A violation blocks everything for the length of a window.
    """

    def __init__(
        self,
        limit: int | None = None,
        window_seconds: float = 300,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.requests = 0
        self.violations = 0
        self.windows: list[int] = []
        """How many requests were allowed in each window, the present one last."""
        self._window_ends = -math.inf
        self._blocked_until = -math.inf

    def spend(self) -> tuple[bool, bytes]:
        """Count a request: whether it is allowed, and the header lines that say what is left."""
        self.requests += 1
        if self.limit is None:
            return True, _UNUSED
        now = self._clock()
        if now < self._blocked_until:
            return self._refused(now)
        if now >= self._window_ends:
            self._window_ends = now + self.window_seconds
            self.windows.append(0)
        if self.windows[-1] == self.limit:
            self._blocked_until = self._window_ends = now + self.window_seconds
            return self._refused(now)
        self.windows[-1] += 1
        return True, self._lines(self.limit - self.windows[-1], self._window_ends - now)

    def _refused(self, now: float) -> tuple[bool, bytes]:
        self.violations += 1
        seconds = self._blocked_until - now
        # Rounded up: whoever comes back after the seconds it was told must not be too early.
        return False, self._lines(0, seconds) + b"Retry-After: %d\r\n" % math.ceil(seconds)

    def _lines(self, left: int, seconds: float) -> bytes:
        return (
            f'Ratelimit: "default";r={left};t={math.ceil(seconds)}\r\n'
            f'Ratelimit-Policy: "default";q={self.limit};w={math.ceil(self.window_seconds)}\r\n'
        ).encode()
