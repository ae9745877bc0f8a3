"""The notebooks as one app for the browser, or as plain pages; marimo is imported only when it is needed."""

import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

from cloudflare_oauth.settings import is_loopback

from ..destinations.target import Target
from ..errors import UsageError
from .settings import MENU_VARIABLE, PAGES, environment_of

if TYPE_CHECKING:
    import marimo
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULT_HOST = "127.0.0.1"
_NEEDED = ("altair", "marimo", "pandas", "uvicorn")
# The pages need nothing from anywhere else, and so may not ask: not even if a name found a way to try.
# Vega compiles its charts, and marimo's page has its settings in a script of its own.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def notebooks_folder() -> Path:
    """Where the notebooks are: in the installed package, or in the clone."""
    installed = Path(__file__).parents[1] / "notebooks"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "notebooks"


def require_notebooks() -> None:
    """Check that what the notebooks need is installed, without importing it.

    Raises:
        UsageError: it is not.
    """
    for name in _NEEDED:
        if find_spec(name) is None:
            raise UsageError(
                f"the notebooks need the package {name}: pip install 'cloudflare-oauth-clients[notebooks]'"
            )


def serve(
    target: Target,
    *,
    waivers: Path | None = None,
    host: str = DEFAULT_HOST,
    port: int = 0,
    on_ready: Callable[[str], None],
    open_browser: bool = False,
) -> None:
    """Serve the notebooks over a dataset until Ctrl-C; `on_ready` is told the address.

    Raises:
        UsageError: the extra `notebooks` is not installed, or nobody may listen there.
        SyncError: the dataset cannot be read, or does not exist yet.
    """
    require_notebooks()
    from .frames import require_dataset

    require_dataset(target)
    os.environ.update(environment_of(target, waivers), **{MENU_VARIABLE: "1"})
    import uvicorn

    # Whoever opens the first page should not have to wait for it.
    import_module(".components", __package__)

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
    import marimo

    builder = marimo.create_asgi_app(quiet=True)
    for name in PAGES:
        builder = builder.with_app(path=f"/{name}", root=str(notebooks_folder() / f"{name}.py"))
    return _Guarded(builder.build(), only_loopback=only_loopback)


class _Guarded:
    """Answers only pages of its own: marimo lets every web site read what it serves.

    A page elsewhere could otherwise ask this machine for the dataset, by its address or by a name that it
    makes lead here.
    """

    def __init__(self, app: "ASGIApp", *, only_loopback: bool) -> None:
        self._app = app
        self._only_loopback = only_loopback

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.responses import PlainTextResponse, RedirectResponse

        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        origin = headers.get(b"origin")
        is_ours = origin is None or origin.partition("://")[2] == host
        if not is_ours or (self._only_loopback and not is_loopback(_without_port(host))):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("Not for other sites.", 403)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] == "/":
            await RedirectResponse(f"/{next(iter(PAGES))}/")(scope, receive, send)
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                added = ((b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer"))
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, send_guarded)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # From now on a browser that is too early waits instead of being refused.
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: cannot listen there: {error.strerror}") from None
    return listener


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_open_to_others(host: str) -> bool:
    """Whether other machines can reach what is served there."""
    return not is_loopback(host)


def export(target: Target, folder: Path, *, waivers: Path | None = None) -> list[Path]:
    """Write the pages as HTML that needs neither a server nor a script, nor asks any host for anything.

    Returns:
        The files, the one to begin with first.

    Raises:
        UsageError: the extra `notebooks` is not installed, or the folder cannot be written.
        SyncError: the dataset cannot be read, or does not exist yet.
    """
    require_notebooks()
    from .frames import require_dataset

    require_dataset(target)
    os.environ.update(environment_of(target, waivers))
    from .components import document

    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name in PAGES:
            outputs, _ = load_notebook(name).run()
            file = folder / f"{name}.html"
            file.write_text(document(name, outputs), "utf-8")
            files.append(file)
    except OSError as error:
        raise UsageError(f"--export {folder}: {error.strerror}") from None
    return files


def load_notebook(name: str) -> "marimo.App":
    """A notebook, to be run in this process."""
    file = notebooks_folder() / f"{name}.py"
    app: marimo.App = run_path(str(file), run_name=f"{__package__}.notebooks.{name}")["app"]
    return app
