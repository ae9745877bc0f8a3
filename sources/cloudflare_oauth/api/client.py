"""A read-only client of Cloudflare's API: one request, repeated while that may help."""

import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode

import anyio
import httpx
import tenacity

from .. import events
from ..errors import ConfigurationError, NotFoundError, RequestFailedError
from ..masking import masked
from ..settings import SyncSettings
from .endpoint import Endpoint
from .network import proxy_for, ssl_context
from .rate_limit import SHORTEST_WAIT_SECONDS, RateLimit, RateLimitError
from .responses import LONGEST_REASON, ApiResponse, TemporaryError, checked, retry_after_seconds

USER_AGENT = "cloudflare-oauth-clients"
# Longer than most pauses between two requests on a connection; httpx notices one that was closed meanwhile.
KEEP_ALIVE_SECONDS = 60.0
RATE_LIMIT = "Cloudflare's rate limit (429)"


def warm_up() -> None:
    """Load in advance what the first request would otherwise wait for."""
    # httpx imports it when it is first used.
    import httpcore  # noqa: F401

    # Whether they are needed at all is known only with the settings.
    with suppress(ConfigurationError):
        ssl_context()


@dataclass
class Usage:
    """Requests made for one purpose, and how many of them repeated a failed one.

    `waited_seconds` is the sum of the times that they were held back by the rate limit.
    """

    requests: int = 0
    retries: int = 0
    waited_seconds: float = 0.0


class CloudflareClient:
    """Sends GET requests to Cloudflare's API, at most `concurrency` at once.

    It follows no redirect, so the credentials reach no host but the configured one.
    """

    def __init__(self, settings: SyncSettings, observer: events.Observer = events.ignore) -> None:
        connection = settings.connection
        self.limits = settings.limits
        self.rate_limit = RateLimit(
            settings.quota_share, lambda seconds, reason: observer(events.Waiting(seconds, reason))
        )
        self._slots = anyio.CapacityLimiter(settings.concurrency)
        self._observer = observer
        self._secrets = connection.credentials.secrets
        self._base_url = connection.base_url
        self._host = httpx.URL(connection.base_url).host
        proxy = proxy_for(connection.base_url)
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        # A client for each connection: httpx's own pool inspects all of its connections several times per
        # request, which takes as long as everything else together.
        self._connections = [
            httpx.AsyncClient(
                headers=connection.credentials.headers | headers,
                timeout=httpx.Timeout(self.limits.read_seconds, connect=self.limits.connect_seconds),
                limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS),
                follow_redirects=False,
                # Plain HTTP, to this machine alone, needs no certificates.
                verify=self._base_url.lower().startswith("https:") and ssl_context(),
                proxy=proxy,
                # What the environment says has been asked for.
                trust_env=False,
            )
            for _ in range(settings.concurrency)
        ]
        self._idle = list(self._connections)
        # In a row, over all accounts.
        self._unanswered = self._refused = 0
        self._answered_at = time.monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for http in self._connections:
            await http.aclose()

    async def get(self, endpoint: Endpoint, params: dict[str, int], usage: Usage) -> ApiResponse:
        """Get one response, repeating requests whose failure may be temporary.

        Source: `GET {base_url}{endpoint.path}`.

        Args:
            usage: counts the requests made.

        Raises:
            AuthenticationError, ForbiddenError, NotFoundError: 401, 403, 404.
            RequestFailedError: any other response, or none, after the last attempt.
        """
        try:
            async for attempt in self._attempts():
                with attempt:
                    retry = attempt.retry_state.attempt_number > 1
                    response = await self.send(endpoint, params, usage, retry=retry)
                    return self._checked(response, endpoint)
        except TemporaryError as error:
            raise RequestFailedError(str(error), http_status=error.http_status, code=error.code) from None
        except RateLimitError as error:
            raise RequestFailedError(f"{endpoint.subject}: {error}; sync again then") from None
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
            asked_seconds = error.retry_after_seconds if isinstance(error, TemporaryError) else None
            is_limited = isinstance(error, TemporaryError) and error.http_status == 429
            if is_limited and asked_seconds and asked_seconds >= SHORTEST_WAIT_SECONDS:
                # The rate limit already holds every request back for as long as Cloudflare asked.
                return 0.0
            seconds = max(asked_seconds or 0.0, backoff(state))
            backed_off_seconds += seconds
            if is_limited:
                # Without `Retry-After` all requests wait as long as this one would have waited alone.
                self.rate_limit.block(seconds, RATE_LIMIT)
                return 0.0
            return seconds

        def is_over(state: tenacity.RetryCallState) -> bool:
            # tenacity asks for the wait first, so the one to come is already counted.
            out_of_time = backed_off_seconds > self.limits.backoff_budget_seconds
            return state.attempt_number >= self.limits.attempts or out_of_time

        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TemporaryError),
            wait=wait,
            stop=is_over,
            sleep=anyio.sleep,
            reraise=True,
        )

    async def send(
        self, endpoint: Endpoint, params: dict[str, int], usage: Usage, *, retry: bool = False
    ) -> httpx.Response:
        """Send one request, once the rate limit allows it, and count it.

        Raises:
            TemporaryError: no response arrived.
            RateLimitError: the rate limit blocks requests for too long.
            RequestFailedError, NotFoundError: the circuit breaker is open, or the path cannot be requested.
        """
        subject = endpoint.subject
        try:
            async with self._slots:
                self._check_circuit(subject)
                in_line_since = time.monotonic()
                async with self.rate_limit.request():
                    usage.waited_seconds += time.monotonic() - in_line_since
                    usage.requests += 1
                    usage.retries += retry
                    http_status = None
                    self._unanswered += 1
                    try:
                        response = await self._response(endpoint.path, params)
                        http_status = response.status_code
                        self._unanswered, self._answered_at = 0, time.monotonic()
                        self._refused = self._refused + 1 if http_status == 429 else 0
                    finally:
                        self._observer(events.RequestDone(http_status, retry))
        except (httpx.TimeoutException, TimeoutError):
            raise TemporaryError(
                f"{subject}: no answer from {self._host} in time; the network or Cloudflare is slow"
            ) from None
        except httpx.InvalidURL as error:
            raise NotFoundError(f"{subject}: cannot be asked for: {self._told(error)}") from None
        except httpx.HTTPError as error:
            if distrusted := _cause(error, ssl.SSLCertVerificationError):
                raise RequestFailedError(
                    f"{subject}: the certificate of {self._host} is not trusted "
                    f"({distrusted.verify_message}): if a proxy of your company stands in between, set "
                    "SSL_CERT_FILE to a file with its certificate"
                ) from None
            if isinstance(error, httpx.ProxyError):
                raise RequestFailedError(
                    f"{subject}: the proxy does not let the request pass ({self._told(error)}); check its "
                    "address and password (HTTPS_PROXY, ALL_PROXY), or name the host in NO_PROXY"
                ) from None
            raise TemporaryError(
                f"{subject}: {self._host} could not be reached ({self._told(error)}); "
                "check the network and CLOUDFLARE_BASE_URL"
            ) from None
        self.rate_limit.learn(response.headers)
        return response

    def _check_circuit(self, subject: str) -> None:
        silent_seconds = time.monotonic() - self._answered_at
        reason = None
        if self._refused >= self.limits.refused_in_a_row:
            reason = f"Cloudflare refused the last {self._refused} requests (429); sync again later"
        elif (
            self._unanswered >= self.limits.unanswered_in_a_row
            and silent_seconds >= self.limits.unanswered_seconds
        ):
            reason = (
                f"the last {self._unanswered} requests got no answer from {self._host}; "
                "sync again when it can be reached"
            )
        if reason:
            raise RequestFailedError(f"{subject}: not asked, because {reason}")

    async def _response(self, path: str, params: dict[str, int]) -> httpx.Response:
        # The connection used last, so that no more are opened than are needed. The clock starts now, not
        # when the request began to wait for its turn.
        http = self._idle.pop()
        try:
            with anyio.fail_after(self.limits.total_seconds):
                # As one string: httpx would parse and join the URL again for separate parameters.
                return await http.get(f"{self._base_url}{path}?{urlencode(params)}")
        finally:
            self._idle.append(http)

    def _checked(self, response: httpx.Response, endpoint: Endpoint) -> ApiResponse:
        if response.status_code == 429 and (seconds := retry_after_seconds(response)) is not None:
            self.rate_limit.block(seconds, RATE_LIMIT)
        return checked(response, endpoint, self._secrets)

    def _told(self, error: Exception) -> str:
        # It may repeat what a server or a proxy sent.
        return masked(str(error), self._secrets)[:LONGEST_REASON] or type(error).__name__


_Cause = TypeVar("_Cause", bound=BaseException)


def _cause(error: BaseException, kind: type[_Cause]) -> _Cause | None:
    """The error or what has caused it, if it is of this kind."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause
