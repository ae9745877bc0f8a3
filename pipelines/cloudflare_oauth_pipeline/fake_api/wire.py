"""How an answer gets onto the connection, or does not."""

import asyncio
import contextlib
import socket
import struct
from typing import cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .envelope import Delivery, Reply

# closing with a linger time of zero sends RST instead of FIN
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class WireProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which lets the application at the connection under it.

    An ASGI server takes care that no answer is cut short; here some have to be.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"transport": transport}
            # a request that is still being served when the server stops ends here, without a traceback
            with contextlib.suppress(asyncio.CancelledError):
                await application(scope, receive, send)

        self.app = with_transport


async def deliver(answer: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer the way it is to be sent."""
    transport = cast(asyncio.Transport, scope["extensions"]["transport"])
    match answer.delivery:
        case Delivery.WHOLE:
            await send(_start(answer))
            await send({"type": "http.response.body", "body": answer.body})
        case Delivery.DRIPPED:
            await send(_start(answer))
            await _drip(answer, transport, send)
        case Delivery.TRUNCATED:
            transport.write(_head(answer) + answer.body[: len(answer.body) // 2])
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


def _start(answer: Reply) -> Message:
    return {"type": "http.response.start", "status": answer.status, "headers": _headers(answer)}


def _headers(answer: Reply) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": answer.content_type,
        "content-length": str(len(answer.body)),
        "server": "cloudflare",
        **answer.headers,
    }
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.items()
        if value is not None
    ]


def _head(answer: Reply) -> bytes:
    lines = [b"HTTP/1.1 %d " % answer.status, *(b"%s: %s" % header for header in _headers(answer))]
    return b"\r\n".join([*lines, b"", b""])


async def _drip(answer: Reply, transport: asyncio.Transport, send: Send) -> None:
    for start in range(0, len(answer.body), answer.drip_bytes):
        if transport.is_closing():
            break
        part = answer.body[start : start + answer.drip_bytes]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(answer.drip_pause_seconds)
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
