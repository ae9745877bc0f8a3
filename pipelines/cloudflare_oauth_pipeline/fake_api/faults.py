"""The ways in which a single response of a real API goes wrong."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .envelope import HTML_TYPE, Delivery, Response, encoded, error_envelope, error_response

GATEWAY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{status} {reason}</title></head>\n"
    "<body><center><h1>{status} {reason}</h1></center><hr><center>cloudflare</center></body></html>\n"
)

_NOTHING = {"count": 0, "total_count": 0}


@dataclass(frozen=True)
class Fault:
    """Sends something in place of the correct response.

    `respond` gets a function that builds the correct response, and calls it only if it needs one.
    """

    name: str
    respond: Callable[[Callable[[], Response]], Response]

    def __repr__(self) -> str:
        return f"Fault({self.name})"


def error(status: int, code: int = 10000, message: str = "Internal error", **headers: str) -> Fault:
    """An error in Cloudflare's envelope; keyword arguments add headers: `retry_after="1"`."""
    named = _named(headers)
    return Fault(f"{status}, code {code}", lambda _: error_response(status, code, message, headers=named))


def refused(status: int, *errors: Any) -> Fault:
    """An error response with these `errors`."""
    envelope = error_envelope(0, "") | {"errors": list(errors)}
    return Fault(f"{status}, {len(errors)} errors", lambda _: Response(status, encoded(envelope)))


def forbidden() -> Fault:
    """403: the token lacks the permission for this account."""
    return error(403, 10000, "Authentication error")


def not_found() -> Fault:
    """404: the account does not exist."""
    return error(404, 7003, "Could not route to that object, perhaps your object identifier is invalid?")


def rate_limited(retry_after: int | str | None = 1) -> Fault:
    """429, with `Retry-After` (seconds, or any text) unless that is None."""
    headers = {} if retry_after is None else {"retry_after": str(retry_after)}
    return error(429, 971, "Please wait and consider throttling your request speed", **headers)


def html(status: int = 502, reason: str = "Bad Gateway") -> Fault:
    """The HTML error page of a proxy; some send it with status 200."""
    return body(GATEWAY_PAGE.format(status=status, reason=reason), status=status, content_type=HTML_TYPE)


def body(
    content: bytes | str, *, status: int = 200, content_type: str = "application/json", **headers: str
) -> Fault:
    """A response with any status, bytes, content type and headers."""
    sent = content.encode() if isinstance(content, str) else content
    named = _named(headers)
    return Fault(f"{status}, {len(sent)} bytes", lambda _: Response(status, sent, named, content_type))


def not_json() -> Fault:
    """200 with a body that is declared as JSON but does not parse."""
    return body('{"result": [{"client_id": ')


def empty() -> Fault:
    """200 without a body."""
    return body(b"")


def unsuccessful(code: int = 10001, message: str = "Internal service error") -> Fault:
    """200 with `success: false` and an empty list as result, which a client must not trust."""
    envelope = error_envelope(code, message) | {"result": []}
    return Fault("200, success false", lambda _: Response(200, encoded(envelope)))


def wrong_result(result: Any) -> Fault:
    """The correct envelope with another result: an object, a string, null."""

    def respond(make_response: Callable[[], Response]) -> Response:
        return _with_envelope(make_response(), lambda envelope: envelope | {"result": result})

    return Fault(f"result {result!r}", respond)


def no_result() -> Fault:
    """The correct envelope without `result`."""

    def respond(make_response: Callable[[], Response]) -> Response:
        return _with_envelope(
            make_response(), lambda envelope: {k: v for k, v in envelope.items() if k != "result"}
        )

    return Fault("no result", respond)


def emptied() -> Fault:
    """The correct envelope, but no items and a `total_count` of 0, as if nothing were left."""

    def alter(envelope: dict[str, Any]) -> dict[str, Any]:
        return envelope | {"result": [], "result_info": (envelope.get("result_info") or {}) | _NOTHING}

    return Fault("no items", lambda make_response: _with_envelope(make_response(), alter))


def other_status(status: int) -> Fault:
    """The correct response with another status: 206, 203."""
    return Fault(f"status {status}", lambda make_response: replace(make_response(), status=status))


def errors_beside_the_result(*errors: Any) -> Fault:
    """The correct envelope, `success: true` included, with these `errors`."""

    def respond(make_response: Callable[[], Response]) -> Response:
        return _with_envelope(make_response(), lambda envelope: envelope | {"errors": list(errors)})

    return Fault("errors beside the result", respond)


def truncated() -> Fault:
    """The correct headers and half of the body, then the connection closes."""
    return _delivered(Delivery.TRUNCATED)


def dripped(bytes_at_once: int = 64, pause_seconds: float = 0.01) -> Fault:
    """The correct response, a few bytes at a time."""
    return _delivered(Delivery.DRIPPED, drip_bytes=bytes_at_once, drip_pause_seconds=pause_seconds)


def closed() -> Fault:
    """The connection closes before any byte of a response."""
    return _undelivered(Delivery.CLOSED)


def reset() -> Fault:
    """The connection is reset before any byte of a response."""
    return _undelivered(Delivery.RESET)


def never() -> Fault:
    """No response, however long the client waits; the connection stays open."""
    return _undelivered(Delivery.NEVER)


def redirect(location: str, status: int = 302) -> Fault:
    """A redirect, for instance to another host: a client that follows it may leak its token there."""
    return body(b"", status=status, location=location)


def _named(headers: Mapping[str, str]) -> dict[str, str | None]:
    return {name.replace("_", "-").lower(): value for name, value in headers.items()}


def _with_envelope(response: Response, alter: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Response:
    return replace(response, body=encoded(alter(json.loads(response.body))))


def _delivered(delivery: Delivery, **drip: Any) -> Fault:
    return Fault(delivery.value, lambda make_response: replace(make_response(), delivery=delivery, **drip))


def _undelivered(delivery: Delivery) -> Fault:
    return Fault(delivery.value, lambda _: Response(0, b"", delivery=delivery))


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
"""Faults that a retry may get past, one of each kind."""
