"""Runs the fake API on a free loopback port."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.server import ServerState

from .accounts_and_clients import Organisation
from .app import BASE_PATH, Api
from .behaviour import Behaviour
from .request_log import RequestLog
from .wire import WireProtocol


class FakeApi:
    """Serves an organisation through Cloudflare's API for the duration of a `with` block.

    Leaving the block aborts open connections and raises the first exception from a callback or
    from a bug in the server: a broken test double must not pass for a misbehaving API.
    """

    def __init__(
        self, organisation: Organisation | None = None, behaviour: Behaviour | None = None, *, port: int = 0
    ) -> None:
        self.organisation = Organisation() if organisation is None else organisation
        self.behaviour = Behaviour() if behaviour is None else behaviour
        self.requests = RequestLog()
        self.port = port
        """The port it listens on; 0 picks a free one, known once the block is entered."""
        self._api = Api(self.organisation, self.behaviour, self.requests)
        self._running: _Running | None = None

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT/client/v4`."""
        if self._running is None:
            raise RuntimeError("the server is not running: use it in a `with` block")
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def __enter__(self) -> Self:
        # The kernel accepts connections from here on; they are served as soon as the thread runs.
        listening = _listening_socket(self.port)
        self.port = listening.getsockname()[1]
        self._running = _Running(self._api, listening)
        self._running.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None
        if self._api.errors and error is None:
            raise self._api.errors[0]


class _Running:
    """A thread whose event loop serves the API."""

    def __init__(self, api: Api, listening: socket.socket) -> None:
        self._api = api
        self._listening = listening
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name="fake API", daemon=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self.thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self._api.application(),
            http=WireProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=300,
        )
        config.load()
        state = ServerState()
        # Not uvicorn.Server: it checks only ten times a second whether to stop, and waits for open requests.
        server = await self._loop.create_server(
            lambda: WireProtocol(config, state, {}, self._loop), sock=self._listening
        )
        await self._stopping.wait()
        server.close()
        await _hang_up(state)


def _listening_socket(port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm only if the protocol is named; with it, every response takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(1024)
    return listening


async def _hang_up(state: ServerState) -> None:
    """Abort every connection, then cancel the tasks that still serve them."""
    for connection in list(state.connections):
        if isinstance(connection, WireProtocol):
            connection.transport.abort()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
