"""Serves the notebooks as one browser app.

marimo and uvicorn are imported late: `require_notebooks` first checks that they are installed.
"""

import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cloudflare_oauth import ConfigurationError, is_loopback

from ..destinations.target import Target
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
    on_ready: Callable[[str], None],
    open_browser: bool = False,
) -> None:
    """Serve the notebooks on a dataset until Ctrl-C.

    Args:
        target: the dataset to show.
        waivers: the waivers file; by default `waivers.toml`, if there is one.
        host: the address to listen on.
        port: the port to listen on; 0 is any free one.
        on_ready: is called with the URL once the server listens.
        open_browser: whether to open the URL in a browser.

    Raises:
        ConfigurationError: the extra `notebooks` is missing, or the host and port cannot be used.
        DestinationError: the dataset cannot be read, or does not exist yet.
    """
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
        address = f"http://{_in_url(host)}:{listener.getsockname()[1]}/"
        server = uvicorn.Server(
            uvicorn.Config(
                _app(only_loopback=is_loopback(host)),
                log_level="error",
                timeout_graceful_shutdown=1,
            )
        )
        on_ready(address)
        if open_browser:
            # Some browsers run in this terminal until they are closed.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _app(*, only_loopback: bool) -> "ASGIApp":
    # Not at the top: it belongs to the extra `notebooks`.
    import marimo

    builder = marimo.create_asgi_app(quiet=True)
    for name in PAGES:
        builder = builder.with_app(path=f"/{name}", root=str(notebooks_folder() / f"{name}.py"))
    return Guard(builder.build(), only_loopback=only_loopback)


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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_open_to_others(host: str) -> bool:
    """Whether other machines can reach a server that listens on this host."""
    return not is_loopback(host)
