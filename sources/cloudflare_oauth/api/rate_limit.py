"""Client-side rate limiting: use at most a share of Cloudflare's quota.

Every response says how much of each quota is left (`Ratelimit`, `Ratelimit-Policy`: RFC 9651 structured
fields). While there is room, requests go at full speed. When only the reserve is left, all requests wait
for the next window, and a single request probes whether it has begun. If the headers are missing or stop,
Cloudflare's documented quota applies instead.
"""

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeGuard

import anyio
import http_sf

from ..settings import SyncSettings

DOCUMENTED_REQUESTS = 1_200
DOCUMENTED_WINDOW_SECONDS = 300
# The header counts whole seconds: a window that ends in 0 seconds may still have most of a second to go.
SHORTEST_WAIT_SECONDS = 1.0
# Cloudflare's windows and blocks last five minutes; a longer wait is an error instead.
LONGEST_WAIT_SECONDS = 360.0


class RateLimitError(Exception):
    """The rate limit blocks requests beyond the maximum wait; the message says how long, and why."""


@dataclass
class _Window:
    """One quota as the responses report it: how many requests are left, and when it resets."""

    limit: int
    reserve: int
    left: int
    resets_at: float

    def learn(self, now: float, left: int, resets_at: float) -> None:
        is_next = now >= self.resets_at or resets_at > self.resets_at + SHORTEST_WAIT_SECONDS
        # Responses overtake each other: within a window the lowest count and the earliest end are true.
        self.left = left if is_next else min(left, self.left)
        self.resets_at = resets_at if is_next else min(resets_at, self.resets_at)


class RateLimit:
    """One gate for all requests of a run: a wait holds all of them, not only the one that met it.

    For use in one event loop. `on_wait` is called with the seconds to wait and the reason.
    """

    def __init__(
        self, share: float = SyncSettings.quota_share, on_wait: Callable[[float, str], None] = lambda *_: None
    ) -> None:
        self._share = share
        self._on_wait = on_wait
        self._closed_until = 0.0
        self._reason = ""
        self._in_flight = 0
        self._answered = anyio.Event()
        # Before the first response it is unknown what is left.
        self._is_known = False
        self._windows: dict[str, _Window] = {}
        # Applies as long as no response reports a window.
        self._documented: _DocumentedRateLimit | None = None

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until a request may be sent; it is in flight until the context ends.

        Raises:
            RateLimitError: the wait would exceed `LONGEST_WAIT_SECONDS`.
        """
        while not self._may_go(time.monotonic()):
            await self._wait()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            for window in self._windows.values():
                # Unless its response says otherwise, it counted.
                window.left -= 1
            self._answered.set()
            self._answered = anyio.Event()

    def learn(self, headers: Mapping[str, str]) -> None:
        """Update the windows from the headers of a response, once its request is over."""
        now = time.monotonic()
        limits = {name: values.get("q") for name, values in _parsed(headers, "ratelimit-policy")}
        told = {name: values for name, values in _parsed(headers, "ratelimit") if _is_count(values.get("r"))}
        # A window that is over and no longer reported says nothing any more.
        windows = {name: one for name, one in self._windows.items() if name in told or now < one.resets_at}
        self._windows, self._is_known = windows, True
        if not told and not windows and self._documented is None:
            self._documented = _DocumentedRateLimit(self._share)
            # The request that showed it counts, too.
            self._documented.take()
        for name, values in told.items():
            limit = limits.get(name)
            limit = limit if _is_count(limit) else DOCUMENTED_REQUESTS
            seconds = values.get("t")
            resets_at = now + (seconds if _is_count(seconds) else DOCUMENTED_WINDOW_SECONDS)
            # The small number makes up for shares such as 0.7, which no float represents exactly.
            reserve = limit - math.floor(limit * self._share + 1e-9)
            if values["r"] <= reserve:
                resets_at = max(resets_at, now + SHORTEST_WAIT_SECONDS)
            if name not in windows:
                windows[name] = _Window(limit, reserve, values["r"], resets_at)
            windows[name].learn(now, values["r"], resets_at)

    def block(self, seconds: float, reason: str) -> None:
        """Hold all requests back for so many seconds."""
        now = time.monotonic()
        # Blocks overlap when several requests in flight are refused; report only the time that one adds.
        added_seconds = now + seconds - max(self._closed_until, now)
        if added_seconds > 0:
            self._closed_until, self._reason = now + seconds, reason
            if seconds <= LONGEST_WAIT_SECONDS:
                self._on_wait(added_seconds, reason)

    def _may_go(self, now: float) -> bool:
        if now < self._closed_until:
            return False
        windows = [window for window in self._windows.values() if now < window.resets_at]
        # The responses to those in flight have not been counted yet.
        if any(window.left - self._in_flight <= window.reserve for window in windows):
            return False
        if not self._is_known or len(windows) < len(self._windows):
            # A single request probes what is left.
            return self._in_flight == 0
        return bool(windows) or self._documented is None or self._documented.take()

    async def _wait(self) -> None:
        now = time.monotonic()
        if now < self._closed_until:
            seconds = self._closed_until - now
            if seconds > LONGEST_WAIT_SECONDS:
                raise RateLimitError(f"no request may be made for {seconds:.0f} seconds: {self._reason}")
            await anyio.sleep(seconds)
        elif self._in_flight:
            # The next response reports what is left.
            await self._answered.wait()
        elif used_up := [
            window
            for window in self._windows.values()
            if now < window.resets_at and window.left <= window.reserve
        ]:
            window = max(used_up, key=lambda one: one.resets_at)
            self.block(
                window.resets_at - now,
                f"{max(window.left, 0)} of {window.limit} requests are left, kept for your other tools",
            )
        elif self._documented:
            self.block(
                self._documented.seconds_to_wait(), "Cloudflare does not say what is left of its quota"
            )


class _DocumentedRateLimit:
    """A share of Cloudflare's documented quota, as a moving window of 300 seconds."""

    def __init__(self, share: float) -> None:
        # Not at the top: importing this library reads files, and importing this package must not.
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        allowed = max(1, math.floor(DOCUMENTED_REQUESTS * share + 1e-9))
        self._quota = RateLimitItemPerSecond(allowed, DOCUMENTED_WINDOW_SECONDS)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self) -> bool:
        """Count a request and return true, if one may be sent."""
        return self._limiter.hit(self._quota)

    def seconds_to_wait(self) -> float:
        """Seconds until the next request may be sent."""
        resets_at = self._limiter.get_window_stats(self._quota).reset_time
        return max(resets_at - time.time(), SHORTEST_WAIT_SECONDS)


def _parsed(headers: Mapping[str, str], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The members of a structured list with their parameters; none if it is absent or malformed."""
    try:
        members: Any = http_sf.parse(headers[name].encode(), tltype="list") if name in headers else ()
    except ValueError:
        return
    for value, parameters in members:
        if isinstance(value, str):
            yield str(value), dict(parameters)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value >= 0
