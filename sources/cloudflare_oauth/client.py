"""Cloudflare's API over HTTP, read-only: one request in, one checked answer out."""

import email.utils
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
import orjson
import tenacity

from . import events
from .configuration import Credentials, is_loopback
from .errors import (
    AuthenticationError,
    CloudflareError,
    ForbiddenError,
    NotFoundError,
    RequestFailedError,
)
from .quota import DEFAULT_SHARE, LONGEST_BLOCK_SECONDS, Quota

USER_AGENT = "cloudflare-oauth-clients"
WORTH_A_RETRY = frozenset({408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530})

# orjson would round a number of more than 64 bits; these digits may be one.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
# Cloudflare's code for a malformed account id.
NO_SUCH_ROUTE = 7003


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a request may take and how often it is tried; seconds."""

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    attempts: int = 5
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 20.0
    backoff_budget_seconds: float = 60.0


@dataclass(frozen=True)
class Answer:
    """A successful answer's `result`, unchecked, and its `result_info` (empty if there was none)."""

    result: Any
    result_info: dict[str, Any]


@dataclass
class Usage:
    """Requests made for one purpose, and how many of them repeated a failed one."""

    requests: int = 0
    retries: int = 0


class _TemporaryError(Exception):
    """An attempt failed in a way that may pass; becomes a `RequestFailedError` after the last."""

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class CloudflareClient:
    """Asks Cloudflare's API. It can only GET.

    No redirect is followed, so the credentials reach no host but that of `base_url`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        concurrency: int = 8,
        limits: Limits | None = None,
        quota_share: float = DEFAULT_SHARE,
        observer: events.Observer = events.ignore,
    ) -> None:
        self.limits = limits or Limits()
        self.quota = Quota(quota_share, lambda seconds, reason: observer(events.Waiting(seconds, reason)))
        self._slots = anyio.CapacityLimiter(concurrency)
        self._observer = observer
        self._secrets = credentials.secrets
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={**credentials.headers, "Accept": "application/json", "User-Agent": USER_AGENT},
            timeout=httpx.Timeout(self.limits.read_seconds, connect=self.limits.connect_seconds, pool=None),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            follow_redirects=False,
            # A proxy named in the environment is for the outside, not for this machine.
            trust_env=not is_loopback(httpx.URL(base_url).host),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, params: dict[str, int], *, subject: str, usage: Usage) -> Answer:
        """Get one answer, trying again what may pass.

        Source: `GET {base_url}{path}`.

        Args:
            path: below the base URL, already quoted.
            subject: what the request is about, for messages: `account 023e…`.
            usage: counts the requests made.

        Raises:
            AuthenticationError, ForbiddenError, NotFoundError: 401, 403, 404.
            RequestFailedError: any other answer, or none, after the last attempt.
        """
        try:
            async for attempt in self._attempts():
                with attempt:
                    retry = attempt.retry_state.attempt_number > 1
                    usage.requests += 1
                    usage.retries += retry
                    http_status = None
                    try:
                        response = await self._send(path, params, subject)
                        http_status = response.status_code
                    finally:
                        self._observer(events.RequestDone(http_status, retry))
                    return self._checked(response, subject)
        except _TemporaryError as error:
            raise RequestFailedError(str(error), http_status=error.http_status, code=error.code) from None
        raise AssertionError("tenacity ended without an outcome")

    def _attempts(self) -> tenacity.AsyncRetrying:
        backoff = tenacity.wait_exponential_jitter(
            multiplier=self.limits.first_backoff_seconds,
            max=self.limits.longest_backoff_seconds,
            jitter=self.limits.first_backoff_seconds,
        )
        backed_off_seconds = 0.0

        def wait(state: tenacity.RetryCallState) -> float:
            nonlocal backed_off_seconds
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, _TemporaryError) and error.retry_after_seconds is not None:
                if error.http_status == 429:
                    # The quota's gate already holds every request back for as long as was asked.
                    return 0.0
                seconds = max(error.retry_after_seconds, backoff(state))
            else:
                seconds = backoff(state)
            backed_off_seconds += seconds
            return seconds

        def is_over(state: tenacity.RetryCallState) -> bool:
            # tenacity asks for the wait first, so the coming one is already counted.
            out_of_time = backed_off_seconds > self.limits.backoff_budget_seconds
            return state.attempt_number >= self.limits.attempts or out_of_time

        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_TemporaryError),
            wait=wait,
            stop=is_over,
            sleep=anyio.sleep,
            reraise=True,
        )

    async def _send(self, path: str, params: dict[str, int], subject: str) -> httpx.Response:
        try:
            # The clock starts when the request does, not when it gets in line.
            async with self._slots, self.quota.request():
                with anyio.fail_after(self.limits.total_seconds):
                    response = await self._http.get(path, params=params)
        except (httpx.TimeoutException, TimeoutError):
            raise _TemporaryError(
                f"{subject}: no answer from {self._http.base_url.host} in time; "
                "the network or Cloudflare is slow"
            ) from None
        except httpx.InvalidURL as error:
            raise NotFoundError(f"{subject}: cannot be asked for: {error}") from None
        except httpx.HTTPError as error:
            raise _TemporaryError(
                f"{subject}: {self._http.base_url.host} could not be reached ({_reason(error)}); "
                "check the network and CLOUDFLARE_BASE_URL"
            ) from None
        self.quota.learn(response.headers)
        return response

    def _checked(self, response: httpx.Response, subject: str) -> Answer:
        status = response.status_code
        envelope = _envelope(response)
        code, reason = _first_error(envelope)
        for secret in self._secrets:
            # A server may repeat what it was sent.
            reason = reason.replace(secret, "***")
        told = f"{subject}: Cloudflare refused ({status}{'' if code is None else f', code {code}'})"

        if response.is_success and envelope is not None:
            if envelope.get("success") is True:
                info = envelope.get("result_info")
                return Answer(envelope.get("result"), info if isinstance(info, dict) else {})
            raise CloudflareError(
                f"{subject}: Cloudflare answered {status} without success"
                f"{'' if code is None else f', code {code}'}: {reason}",
                http_status=status,
                code=code,
            )
        if status == 429:
            raise self._rate_limited(response, subject, code)
        if status in WORTH_A_RETRY or status >= 500:
            raise _TemporaryError(
                f"{subject}: Cloudflare is in trouble ({status}): {reason}; try again later",
                http_status=status,
                code=code,
                retry_after_seconds=_retry_after_seconds(response),
            )
        if status == 401:
            raise AuthenticationError(
                f"{told}: the credentials are not accepted; check CLOUDFLARE_API_TOKEN, and that it has "
                "not expired",
                http_status=status,
                code=code,
            )
        if status == 403 and envelope is None:
            raise ForbiddenError(
                f"{subject}: refused (403) by something that is not Cloudflare's API: {_shape(response)}; "
                "look for a proxy or a firewall in between",
                http_status=status,
            )
        if status == 403:
            raise ForbiddenError(
                f'{told}: the credentials lack the permission "OAuth Client Read" here',
                http_status=status,
                code=code,
            )
        if status == 404 or code == NO_SUCH_ROUTE:
            raise NotFoundError(
                f"{told}: nothing is there; check the account id", http_status=status, code=code
            )
        if response.is_redirect:
            raise CloudflareError(
                f"{subject}: answered with a redirect ({status}), which is not followed; "
                "check CLOUDFLARE_BASE_URL",
                http_status=status,
            )
        if envelope is None:
            # A captive portal or a proxy answers like this; it may be gone in a moment.
            raise _TemporaryError(
                f"{subject}: the answer ({status}) is not Cloudflare's: {_shape(response)}; "
                "look for a proxy in between",
                http_status=status,
            )
        raise CloudflareError(f"{told}: {reason}", http_status=status, code=code)

    def _rate_limited(
        self, response: httpx.Response, subject: str, code: int | None
    ) -> _TemporaryError | CloudflareError:
        seconds = _retry_after_seconds(response)
        if seconds is not None and seconds > LONGEST_BLOCK_SECONDS:
            return CloudflareError(
                f"{subject}: Cloudflare asks to wait {seconds:.0f} seconds (429), which is longer than its "
                "rate limit lasts; try again then",
                http_status=429,
                code=code,
            )
        if seconds is not None:
            self.quota.block(seconds, "Cloudflare's rate limit (429)")
        return _TemporaryError(
            f"{subject}: Cloudflare's rate limit (429) outlasted every attempt; try again in five minutes",
            http_status=429,
            code=code,
            retry_after_seconds=seconds,
        )


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        # Python's own parser also takes half a surrogate pair: that is its row's problem, not the page's.
        return json.loads(content)


def _envelope(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object of the answer; None if the answer is anything else."""
    try:
        body = (
            json.loads(response.content)
            if _LONG_NUMBER.search(response.content)
            else _parsed(response.content)
        )
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _first_error(envelope: dict[str, Any] | None) -> tuple[int | None, str]:
    """Cloudflare's first error: its code and its message."""
    errors = envelope.get("errors") if envelope else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None, "it gave no reason"
    code, message = first.get("code"), first.get("message")
    return (
        code if isinstance(code, int) else None,
        message[:500] if isinstance(message, str) else "it gave no reason",
    )


def _shape(response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return f"{len(response.content)} bytes of {kind}"


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _retry_after_seconds(response: httpx.Response) -> float | None:
    """`Retry-After`, in either of its two forms; None if there is none that can be understood."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
