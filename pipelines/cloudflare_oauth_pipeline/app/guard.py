"""Keeps other web sites from reading what the notebook server serves."""

from typing import TYPE_CHECKING

from cloudflare_oauth import is_loopback

from .settings import PAGES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The pages load nothing from other hosts. The policy enforces that even if a client's name injected markup.
# Vega compiles its charts to JavaScript, and marimo's page has its settings in an inline script.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Guard:
    """ASGI middleware that answers only the app's own pages.

    marimo allows every origin to read what it serves. Without this check, a page on another web site could
    read the dataset from this machine, either by its address or through DNS rebinding.
    """

    def __init__(self, app: "ASGIApp", *, only_loopback: bool) -> None:
        self._app = app
        self._only_loopback = only_loopback

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Refuse requests of other sites with 403, redirect `/` to the first page, and pass on the rest."""
        # Late: the command line imports this module, and starlette belongs to the extra `notebooks`.
        from starlette.responses import PlainTextResponse, RedirectResponse

        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        origin = headers.get(b"origin")
        is_ours = origin is None or origin.partition("://")[2] == host
        if not is_ours or (self._only_loopback and not is_loopback(host_without_port(host))):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("Requests from other sites are refused.", 403)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] == "/":
            await RedirectResponse(f"/{next(iter(PAGES))}/")(scope, receive, send)
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                added = (
                    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                )
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, send_guarded)


def host_without_port(host: str) -> str:
    """The host of a `Host` header: without the port, and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
