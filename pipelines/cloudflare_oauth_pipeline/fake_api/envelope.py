"""An HTTP answer before it is sent, and Cloudflare's envelope inside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=UTF-8"


class Delivery(Enum):
    """What happens to an answer on its way."""

    WHOLE = "it arrives"
    DRIPPED = "it arrives a few bytes at a time"
    TRUNCATED = "half of the body arrives, then the connection is closed"
    CLOSED = "nothing arrives: the connection is closed"
    RESET = "nothing arrives: the connection is reset"
    NEVER = "nothing arrives, and the connection stays open"


@dataclass(frozen=True)
class Reply:
    """Status, headers and body, and how they get to the client."""

    status: int
    body: bytes
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """By name in lower case; None takes away a header that every answer has."""
    content_type: str = JSON_TYPE
    delivery: Delivery = Delivery.WHOLE
    drip_bytes: int = 64
    drip_pause_seconds: float = 0.01


def found(
    result: Any, result_info: Mapping[str, Any] | None = None, *, has_result_info: bool = True
) -> Reply:
    """200 with a result; `result_info` is sent as it is, also as null, unless it is not to be there."""
    envelope = {"result": result, "success": True, "errors": [], "messages": []}
    if has_result_info:
        envelope["result_info"] = result_info
    return Reply(200, encoded(envelope))


def refused(
    status: int, code: int, message: str, *, headers: Mapping[str, str | None] | None = None
) -> Reply:
    """An envelope with one error."""
    return Reply(status, encoded(error_envelope(code, message)), headers or {})


def error_envelope(code: int, message: str) -> dict[str, Any]:
    """What Cloudflare sends with a 4xx or 5xx."""
    return {
        "result": None,
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
    }


def encoded(document: Any) -> bytes:
    """JSON in ASCII: lone surrogates, NUL and everything else survive as escapes."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")
