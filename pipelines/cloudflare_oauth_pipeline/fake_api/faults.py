"""The ways a single answer of a real API goes wrong."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .envelope import HTML_TYPE, Delivery, Reply, encoded, error_envelope, refused

GATEWAY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{status} {reason}</title></head>\n"
    "<body><center><h1>{status} {reason}</h1></center><hr><center>cloudflare</center></body></html>\n"
)


@dataclass(frozen=True)
class Fault:
    """What is sent in place of the true answer, which is only made if the fault asks for it."""

    name: str
    answer: Callable[[Callable[[], Reply]], Reply]

    def __repr__(self) -> str:
        return f"Fault({self.name})"


def error(status: int, code: int = 10000, message: str = "Internal error", **headers: str) -> Fault:
    """An error in Cloudflare's envelope, with more headers if any: `retry_after="1"`."""
    named = _named(headers)
    return Fault(f"{status}, code {code}", lambda _: refused(status, code, message, headers=named))


def forbidden() -> Fault:
    """403: the token lacks the permission for this account."""
    return error(403, 10000, "Authentication error")


def not_found() -> Fault:
    """404: the account is not there."""
    return error(404, 7003, "Could not route to that object, perhaps your object identifier is invalid?")


def rate_limited(retry_after: int | str | None = 1) -> Fault:
    """429, with `Retry-After` (seconds, or any text) unless it is None."""
    headers = {} if retry_after is None else {"retry_after": str(retry_after)}
    return error(429, 971, "Please wait and consider throttling your request speed", **headers)


def html(status: int = 502, reason: str = "Bad Gateway") -> Fault:
    """A proxy's HTML page, also with status 200."""
    return body(GATEWAY_PAGE.format(status=status, reason=reason), status=status, content_type=HTML_TYPE)


def body(
    content: bytes | str, *, status: int = 200, content_type: str = "application/json", **headers: str
) -> Fault:
    """Any status, any bytes."""
    sent = content.encode() if isinstance(content, str) else content
    named = _named(headers)
    return Fault(f"{status}, {len(sent)} bytes", lambda _: Reply(status, sent, named, content_type))


def not_json() -> Fault:
    """200 with something that calls itself JSON and is none."""
    return body('{"result": [{"client_id": ')


def empty() -> Fault:
    """200 without a body."""
    return body(b"")


def unsuccessful(code: int = 10001, message: str = "Internal service error") -> Fault:
    """200 with `success: false`, and an empty list as result that must not be believed."""
    envelope = error_envelope(code, message) | {"result": []}
    return Fault("200, success false", lambda _: Reply(200, encoded(envelope)))


def wrong_result(result: Any) -> Fault:
    """The true envelope with another result: an object, a string, null."""

    def answer(true: Callable[[], Reply]) -> Reply:
        return _with_envelope(true(), lambda envelope: envelope | {"result": result})

    return Fault(f"result {result!r}", answer)


def no_result() -> Fault:
    """The true envelope without `result`."""

    def answer(true: Callable[[], Reply]) -> Reply:
        return _with_envelope(true(), lambda envelope: {k: v for k, v in envelope.items() if k != "result"})

    return Fault("no result", answer)


def truncated() -> Fault:
    """The true answer's headers and half of its body, then the connection closes."""
    return _delivered(Delivery.TRUNCATED)


def dripped(bytes_at_once: int = 64, pause_seconds: float = 0.01) -> Fault:
    """The true answer, a few bytes at a time."""
    return _delivered(Delivery.DRIPPED, drip_bytes=bytes_at_once, drip_pause_seconds=pause_seconds)


def closed() -> Fault:
    """The connection closes before anything is answered."""
    return _undelivered(Delivery.CLOSED)


def reset() -> Fault:
    """The connection is reset before anything is answered."""
    return _undelivered(Delivery.RESET)


def never() -> Fault:
    """No answer, for as long as the client cares to wait."""
    return _undelivered(Delivery.NEVER)


def redirect(location: str, status: int = 302) -> Fault:
    """A redirect, say to another host: whoever follows it takes the token along."""
    return body(b"", status=status, location=location)


def _named(headers: Mapping[str, str]) -> dict[str, str | None]:
    return {name.replace("_", "-").lower(): value for name, value in headers.items()}


def _with_envelope(true: Reply, alter: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Reply:
    return replace(true, body=encoded(alter(json.loads(true.body))))


def _delivered(delivery: Delivery, **drip: Any) -> Fault:
    return Fault(delivery.value, lambda true: replace(true(), delivery=delivery, **drip))


def _undelivered(delivery: Delivery) -> Fault:
    return Fault(delivery.value, lambda _: Reply(0, b"", delivery=delivery))


TEMPORARY = (
    reset(),
    closed(),
    truncated(),
    html(502),
    html(200),
    error(500),
    rate_limited(0),
    not_json(),
)
"""What may pass, one of each kind."""
