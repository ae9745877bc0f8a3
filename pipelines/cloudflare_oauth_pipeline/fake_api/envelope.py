"""An HTTP response before it is sent, and Cloudflare's JSON envelope in its body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=UTF-8"


class Delivery(Enum):
    """How much of a response reaches the client, and how."""

    WHOLE = "it arrives"
    DRIPPED = "it arrives a few bytes at a time"
    TRUNCATED = "half of the body arrives, then the connection is closed"
    CLOSED = "nothing arrives: the connection is closed"
    RESET = "nothing arrives: the connection is reset"
    NEVER = "nothing arrives, and the connection stays open"


@dataclass(frozen=True)
class Response:
    """Status, headers and body of a response, and how it is delivered."""

    status: int
    body: bytes
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """By lower-case name; None removes a header that is otherwise part of every response."""
    content_type: str = JSON_TYPE
    delivery: Delivery = Delivery.WHOLE
    drip_bytes: int = 64
    drip_pause_seconds: float = 0.01


def success_response(
    result: Any, result_info: Mapping[str, Any] | None = None, *, has_result_info: bool = True
) -> Response:
    """Build a 200 with a result.

    `result_info` is sent as given, None as null; without `has_result_info` the key is left out.
    """
    envelope = {"result": result, "success": True, "errors": [], "messages": []}
    if has_result_info:
        envelope["result_info"] = result_info
    return Response(200, encoded(envelope))


def error_response(
    status: int, code: int, message: str, *, headers: Mapping[str, str | None] | None = None
) -> Response:
    """Build a response whose envelope holds one error."""
    return Response(status, encoded(error_envelope(code, message)), headers or {})


def error_envelope(code: int, message: str) -> dict[str, Any]:
    """The envelope that Cloudflare sends with a 4xx or 5xx."""
    return {
        "result": None,
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
    }


def encoded(document: Any) -> bytes:
    """Encode a document as ASCII JSON: lone surrogates, NUL and everything else survive as escapes."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")
