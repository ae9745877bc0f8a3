"""What a response of Cloudflare's API says: a result, or an error that may or may not be temporary."""

import email.utils
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from ..errors import AuthenticationError, CloudflareError, ForbiddenError, NotFoundError
from ..masking import masked
from .endpoint import Endpoint
from .rate_limit import LONGEST_WAIT_SECONDS

# Cloudflare's code for a malformed account id.
NO_SUCH_ROUTE = 7003
# Characters of a server's text that a message repeats.
LONGEST_REASON = 500
LONGEST_TYPE = 80
MOST_ERRORS = 3
NO_REASON = "it gave no reason"
# "Authentication error": wrong account, invalid token or missing permission.
AUTHENTICATION_ERROR = 10000
# "Invalid request headers": the token is none; the chain says what is wrong with it.
INVALID_HEADERS = 6003

# orjson would round a number of more than 64 bits. A run of digits this long may be one, or part of an id;
# searching for the run first takes a tenth of the time of the expression alone.
_MANY_DIGITS = b"0" * 19
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = re.compile(rb"[:,\[\s]-?[0-9]{19}")


@dataclass(frozen=True)
class ApiResponse:
    """The `result` of a successful response, unchecked, and its `result_info` (empty if there was none)."""

    result: Any
    result_info: dict[str, Any]


class TemporaryError(Exception):
    """An attempt failed in a way that may be temporary."""

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


def checked(response: httpx.Response, endpoint: Endpoint, secrets: Iterable[str]) -> ApiResponse:
    """Turn a response into a result or an error.

    Args:
        endpoint: what was requested, for messages.
        secrets: masked in Cloudflare's messages, because a server may repeat what it was sent.

    Raises:
        AuthenticationError, ForbiddenError, NotFoundError: 401, 403, 404.
        TemporaryError: 408, 429, 5xx, or a response that is not from Cloudflare's API.
        CloudflareError: any other refusal, or a success that may not be the whole answer: any status but 200,
            or `errors` beside the result, or no result at all.
    """
    subject = endpoint.subject
    status = response.status_code
    envelope = _envelope(response)
    secrets = tuple(secrets)
    code, reason = _told_errors(envelope)
    # Masked before it is cut, or most of a secret at the cut would show.
    reason = masked(reason, secrets)[:LONGEST_REASON]
    told = f"{subject}: Cloudflare refused ({status}{'' if code is None else f', code {code}'})"

    if response.is_success and envelope is not None:
        if envelope.get("success") is True:
            if status != 200 or envelope.get("errors"):
                # It may be a part of the answer, and a listing that lacks a client would delete it.
                raise CloudflareError(
                    f"{subject}: {_doubt(status, code, reason, envelope)}; nothing of the answer was used, "
                    "sync again",
                    http_status=status,
                    code=code,
                )
            if "result" not in envelope:
                raise CloudflareError(
                    f"{subject}: Cloudflare answered 200 without a result; sync again", http_status=status
                )
            info = envelope.get("result_info")
            return ApiResponse(envelope["result"], info if isinstance(info, dict) else {})
        raise CloudflareError(
            f"{subject}: Cloudflare answered {status} without success"
            f"{'' if code is None else f', code {code}'}: {reason}",
            http_status=status,
            code=code,
        )
    if status == 429:
        raise _rate_limited(response, subject, code)
    if status == 408 or status >= 500:
        raise TemporaryError(
            f"{subject}: Cloudflare is in trouble ({status}): {reason}; try again later",
            http_status=status,
            code=code,
            retry_after_seconds=retry_after_seconds(response),
        )
    if status == 401 or code == INVALID_HEADERS:
        why = f" ({reason})" if code == INVALID_HEADERS else ""
        raise AuthenticationError(
            f"{told}: the credentials are not accepted{why}; check CLOUDFLARE_API_TOKEN, and that it has "
            "not expired",
            http_status=status,
            code=code,
        )
    if status == 403 and envelope is None:
        raise ForbiddenError(
            f"{subject}: refused (403) by something that is not Cloudflare's API: "
            f"{_shape(response, secrets)}; look for a proxy or a firewall in between",
            http_status=status,
        )
    if status == 403:
        raise ForbiddenError(
            f"{told}: {_why_forbidden(endpoint, code, reason)}", http_status=status, code=code
        )
    if status == 404 or code == NO_SUCH_ROUTE:
        raise NotFoundError(f"{told}: nothing is there; check the account id", http_status=status, code=code)
    if response.is_redirect:
        raise CloudflareError(
            f"{subject}: answered with a redirect ({status}), which is not followed; "
            "check CLOUDFLARE_BASE_URL",
            http_status=status,
        )
    if envelope is None:
        # A captive portal or a proxy responds like this; it may be gone in a moment.
        raise TemporaryError(
            f"{subject}: the answer ({status}) is not Cloudflare's: {_shape(response, secrets)}; "
            "look for a proxy in between",
            http_status=status,
        )
    raise CloudflareError(f"{told}: {reason}", http_status=status, code=code)


def _why_forbidden(endpoint: Endpoint, code: int | None, reason: str) -> str:
    """Cloudflare's reason; where it is none of its own, the permission that is probably missing."""
    lacking = f'lack the permission "{endpoint.permission}"' if endpoint.permission else "are not enough"
    why = reason
    if code == AUTHENTICATION_ERROR or reason == NO_REASON:
        why = f"the credentials {lacking} here"
    elif endpoint.permission and "unauthorized" in reason.lower():
        why = f"{reason}; the credentials may {lacking} here"
    return f"{why}; {endpoint.otherwise}" if endpoint.otherwise else why


def _doubt(status: int, code: int | None, reason: str, envelope: dict[str, Any]) -> str:
    """Why an answer that calls itself a success may not be a whole one."""
    if envelope.get("errors"):
        told = "" if code is None else f", code {code}"
        return f"Cloudflare answered with an error beside the result ({status}{told}): {reason}"
    return f"Cloudflare answered {status}, but only 200 is a whole answer"


def _rate_limited(
    response: httpx.Response, subject: str, code: int | None
) -> TemporaryError | CloudflareError:
    seconds = retry_after_seconds(response)
    if seconds is not None and seconds > LONGEST_WAIT_SECONDS:
        return CloudflareError(
            f"{subject}: Cloudflare asks to wait {seconds:.0f} seconds (429), which is longer than its "
            "rate limit lasts; try again then",
            http_status=429,
            code=code,
        )
    return TemporaryError(
        f"{subject}: Cloudflare's rate limit (429) outlasted every attempt; try again in five minutes",
        http_status=429,
        code=code,
        retry_after_seconds=seconds,
    )


def _parsed(content: bytes) -> Any:
    if _MANY_DIGITS in content.translate(_DIGITS_AS_ZEROS) and _LONG_NUMBER.search(content):
        return json.loads(content)
    try:
        return orjson.loads(content)
    except ValueError:
        # Python's own parser accepts half a surrogate pair: that row will be rejected, not the whole page.
        return json.loads(content)


def _envelope(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object in the body; None if the body is anything else."""
    try:
        body = _parsed(response.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _told_errors(envelope: dict[str, Any] | None) -> tuple[int | None, str]:
    """The code of the first error in the envelope, and what all of them say."""
    errors = _errors(envelope.get("errors") if envelope else None)
    codes = [error["code"] for error in errors if type(error.get("code")) is int]
    messages = dict.fromkeys(filter(None, map(_message, errors[:MOST_ERRORS])))
    return codes[0] if codes else None, "; ".join(messages) or NO_REASON


def _errors(errors: Any) -> list[dict[str, Any]]:
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _message(error: dict[str, Any]) -> str:
    """What an error says, and in brackets what has caused it."""
    told = error.get("message")
    message = told.strip().rstrip(".") if isinstance(told, str) else ""
    causes = [
        f"{cause['message'].strip().rstrip('.')} (code {cause.get('code')})"
        for cause in _errors(error.get("error_chain"))[:MOST_ERRORS]
        if isinstance(cause.get("message"), str)
    ]
    return ": ".join(filter(None, [message, ", ".join(causes)]))


def _shape(response: httpx.Response, secrets: Iterable[str]) -> str:
    kind = masked(response.headers.get("content-type", "no content type"), secrets).partition(";")[0]
    return f"{len(response.content)} bytes of {kind[:LONGEST_TYPE]}"


def retry_after_seconds(response: httpx.Response) -> float | None:
    """`Retry-After` in either of its two forms; None if it is absent or malformed."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
