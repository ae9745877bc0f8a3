"""Serves the notebooks as one browser app.

marimo and uvicorn are imported late: `require_notebooks` first checks that they are installed.
"""

import logging
import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cloudflare_oauth import ConfigurationError, is_loopback

from ..destinations.target import Target
from .access import TOKEN_PARAMETER, AccessToken, ServedHosts, checked_host_names, is_wildcard
from .export import notebooks_folder, require_notebooks
from .guard import Guard
from .settings import MENU_VARIABLE, PAGES, environment_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DEFAULT_HOST = "127.0.0.1"


def serve(
    target: Target,
    *,
    waivers: Path | None = None,
    host: str = DEFAULT_HOST,
    port: int = 0,
    allowed_hosts: Sequence[str] = (),
    with_token: bool = True,
    on_ready: Callable[[str], None],
    open_browser: bool = False,
) -> None:
    """Serve the notebooks on a dataset until Ctrl-C.

    Args:
        target: the dataset to show.
        waivers: the waivers file; by default `waivers.toml`, if there is one.
        host: the address to listen on.
        port: the port to listen on; 0 is any free one.
        allowed_hosts: further host names under which the pages are served.
        with_token: whether only those see the pages who have the access token in the URL.
        on_ready: is called with the URL once the server listens.
        open_browser: whether to open the URL in a browser.

    Raises:
        ConfigurationError: the extra `notebooks` is missing, the host and port cannot be used, a host name is
            none, or the pages would be open to the network without a token.
        DestinationError: the dataset cannot be read, or does not exist yet.
    """
    allowed = checked_host_names(allowed_hosts)
    if not (with_token or allowed or is_loopback(host)):
        raise ConfigurationError(
            f"--no-token with --host {host}: everyone on the network could read the dataset; "
            "name the host that the proxy in front serves with --allow-host, or listen on loopback"
        )
    require_notebooks()
    # Not at the top: it imports pandas.
    from .frames import require_dataset

    require_dataset(target)
    os.environ.update(environment_of(target, waivers), **{MENU_VARIABLE: "1"})
    # Not at the top: it belongs to the extra `notebooks`.
    import uvicorn

    # Imported now, so that the first page does not have to wait for it.
    import_module(".charts", __package__)

    with _listening(host, port) as listener:
        bound, bound_port, *_ = listener.getsockname()
        token = AccessToken(bound_port) if with_token else None
        guarded = Guard(_app(), hosts=ServedHosts.of(allowed, host=host, address=bound), token=token)
        # No access log: it would have the token in it.
        config = uvicorn.Config(guarded, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)
        server = uvicorn.Server(config)
        address = f"http://{_in_url(host, bound)}:{bound_port}/"
        on_ready(_with(token.value, address) if token else address)
        if open_browser:
            opened = _with(token.ticket(), address) if token else address
            # Some browsers run in this terminal until they are closed.
            threading.Thread(target=webbrowser.open, args=(opened,), daemon=True).start()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _app() -> "ASGIApp":
    # Not at the top: it belongs to the extra `notebooks`.
    import marimo

    builder = marimo.create_asgi_app(quiet=True)
    for name in PAGES:
        builder = builder.with_app(path=f"/{name}", root=str(notebooks_folder() / f"{name}.py"))
    return builder.build()


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Whether this is not about a WebSocket that the guard has refused: uvicorn takes that for an error."""
    return "without completing handshake" not in record.getMessage()


def _with(token: str, address: str) -> str:
    return f"{address}?{TOKEN_PARAMETER}={token}"


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # From here on, a browser that connects before the app is ready waits instead of being refused.
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port}: cannot listen there: {error.strerror}"
        ) from None
    return listener


def _in_url(host: str, bound: str) -> str:
    """A host to open in a browser on this machine: all addresses at once are no address."""
    if is_wildcard(bound):
        host = "[::1]" if ":" in bound else "127.0.0.1"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_open_to_others(host: str) -> bool:
    """Whether other machines can reach a server that listens on this host."""
    return not is_loopback(host)
