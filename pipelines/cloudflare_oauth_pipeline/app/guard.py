"""Answers only those who may see the pages, and keeps other web sites from reading them."""

from typing import TYPE_CHECKING

from .access import (
    ALLOW_HOST_VARIABLE,
    TOKEN_PARAMETER,
    AccessToken,
    ServedHosts,
    harmless,
    host_without_port,
    token_in,
    without_token,
)
from .settings import PAGES

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The pages load nothing from other hosts. The policy enforces that even if a client's name injected markup.
# Vega compiles its charts to JavaScript, and marimo's page has its settings in an inline script.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
WITHOUT_TOKEN = (
    "This page needs the access token: open the whole address that `cloudflare-oauth explore` has printed, "
    f"up to the end of `?{TOKEN_PARAMETER}=…`. Each start has a new one."
)
# Following a link on another site, browsers withhold the cookie; on a page's own reload they send it.
ONCE_MORE = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><p>{WITHOUT_TOKEN}'


class Guard:
    """ASGI middleware that answers only requests for a served host, from its own pages, with the token.

    marimo allows every origin to read what it serves, and its own token stays in the address and guards
    no scripts and styles. `token` is None where a proxy in front of the server authenticates.
    """

    def __init__(self, app: "ASGIApp", *, hosts: ServedHosts, token: AccessToken | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Refuse, redirect to the address without the token or to the first page, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                # marimo has a weaker policy for referrers.
                kept = [(name, value) for name, value in message.get("headers", ()) if name not in _HEADERS]
                message = {**message, "headers": [*kept, *_HEADERS.items()]}
            await send(message)

        answer = self._answer(scope)
        if answer is None:
            await self._app(scope, receive, send_guarded)
        elif scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await answer(scope, receive, send_guarded)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _answer(self, scope: "Scope") -> "Response | None":
        """The answer to a request that is not passed on to the pages."""
        # Late: the command line imports this module, and starlette belongs to the extra `notebooks`.
        from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers.get(b"host", ""), headers.get(b"origin"))
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", 403)
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        path = scope["path"] if scope["path"] != "/" else f"/{next(iter(PAGES))}/"
        if self._token is not None:
            query = scope["query_string"].decode("latin-1")
            given = token_in(query) if is_read else None
            is_known = self._token.is_in(headers.get(b"cookie", ""))
            if not is_known and given is None and is_read and path.endswith("/manifest.json"):
                # Browsers ask for it without cookies, and log an error if it is refused or empty.
                return JSONResponse({"name": "Cloudflare OAuth clients"})
            if not is_known and (given is None or not self._token.admits(given)):
                return _unauthorized(is_link=is_read and _is_link_elsewhere(headers))
            if given is not None:
                response = RedirectResponse(without_token(path, query), 303, {"cache-control": "no-store"})
                if not is_known:
                    is_secure = scope["scheme"] == "https"
                    response.headers["set-cookie"] = self._token.set_cookie(secure=is_secure)
                return response
        return RedirectResponse(path) if is_read and path != scope["path"] else None

    def _refusal(self, host: str, origin: str | None) -> str | None:
        """Why a request is refused because of its `Host` or `Origin` header."""
        if not self._hosts.serves(host):
            name = harmless(host_without_port(host)) or "(none)"
            return (
                f"The host name {name} is not served here. If it should be, start the server with "
                f"`cloudflare-oauth explore --allow-host NAME`, or set {ALLOW_HOST_VARIABLE}."
            )
        if origin is not None and not self._hosts.is_own_origin(origin, host):
            return (
                f"Requests from other sites are refused: this one comes from {harmless(origin)}, "
                f"and asks for {harmless(host)}. A proxy in between should pass on the "
                "`Host` header, or its name be allowed with `--allow-host NAME`."
            )
        return None


def _is_link_elsewhere(headers: dict[bytes, str]) -> bool:
    """Whether a browser asks for this page because a link on another site was followed."""
    asked = [headers.get(f"sec-fetch-{name}".encode()) for name in ("site", "mode", "dest")]
    return asked == ["cross-site", "navigate", "document"]


def _unauthorized(*, is_link: bool) -> "Response":
    # Late, for the same reason as above.
    from starlette.responses import HTMLResponse, PlainTextResponse

    headers = {"cache-control": "no-store"}
    return (
        HTMLResponse(ONCE_MORE, 401, headers)
        if is_link
        else PlainTextResponse(f"{WITHOUT_TOKEN}\n", 401, headers)
    )
