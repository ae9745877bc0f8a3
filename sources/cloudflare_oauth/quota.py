"""Cloudflare's quota: when a request may be made."""

import time
from collections.abc import Callable

import anyio

DEFAULT_SHARE = 0.9
# Cloudflare blocks for five minutes; a longer wait is not its rate limit any more.
LONGEST_BLOCK_SECONDS = 360.0


class Quota:
    """One gate for all requests of a run: a block stops every one of them, not only the one it hit."""

    def __init__(self, on_wait: Callable[[float, str], None]) -> None:
        self._on_wait = on_wait
        self._blocked_until = 0.0

    async def admit(self) -> None:
        """Return as soon as a request may be made."""
        # Again and again, because the block may be prolonged while it is waited out.
        while (seconds := self._blocked_until - time.monotonic()) > 0:  # noqa: ASYNC110
            await anyio.sleep(seconds)

    def block(self, seconds: float, reason: str) -> None:
        """Let no request through for so many seconds."""
        now = time.monotonic()
        # Blocks overlap when several requests in flight are refused; only what one adds is told.
        added_seconds = now + seconds - max(self._blocked_until, now)
        if added_seconds > 0:
            self._blocked_until = now + seconds
            self._on_wait(added_seconds, reason)
