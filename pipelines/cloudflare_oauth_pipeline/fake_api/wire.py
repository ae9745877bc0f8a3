"""Sends a response over the connection in whole, in part or not at all."""

import asyncio
import contextlib
import socket
import struct
from typing import cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .envelope import Delivery, Response

# Closing with a linger time of zero sends RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class WireProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol that also gives the application the connection's transport.

    An ASGI server never cuts a response short; the fake API must be able to.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"transport": transport}
            # A request that is in progress when the server stops ends here, without a traceback.
            with contextlib.suppress(asyncio.CancelledError):
                await application(scope, receive, send)

        self.app = with_transport


async def deliver(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response as its `delivery` says."""
    transport = cast(asyncio.Transport, scope["extensions"]["transport"])
    match response.delivery:
        case Delivery.WHOLE:
            await send(_start(response))
            await send({"type": "http.response.body", "body": response.body})
        case Delivery.DRIPPED:
            await send(_start(response))
            await _drip(response, transport, send)
        case Delivery.TRUNCATED:
            transport.write(_head(response) + response.body[: len(response.body) // 2])
            transport.close()
            await _disconnected(receive)
        case Delivery.CLOSED:
            transport.close()
            await _disconnected(receive)
        case Delivery.RESET:
            connection = cast(socket.socket, transport.get_extra_info("socket"))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()
            await _disconnected(receive)
        case Delivery.NEVER:
            await _disconnected(receive)


def _start(response: Response) -> Message:
    return {"type": "http.response.start", "status": response.status, "headers": _headers(response)}


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "server": "cloudflare",
        **response.headers,
    }
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.items()
        if value is not None
    ]


def _head(response: Response) -> bytes:
    lines = [b"HTTP/1.1 %d " % response.status, *(b"%s: %s" % header for header in _headers(response))]
    return b"\r\n".join([*lines, b"", b""])


async def _drip(response: Response, transport: asyncio.Transport, send: Send) -> None:
    for start in range(0, len(response.body), response.drip_bytes):
        if transport.is_closing():
            break
        part = response.body[start : start + response.drip_bytes]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(response.drip_pause_seconds)
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
