"""The program of the reader process: answers the questions of the process that started it.

    python -m cloudflare_oauth.reading.worker QUESTIONS RESULTS

The arguments are the descriptors of two pipes. It imports neither dlt nor a destination, so that it is ready
long before the process that started it. It ends when the pipe of questions does: when the sync is over, or
when the other process was killed.

One thread reads and checks; two more only wait for the pipes.
"""

import gc
import os
import pickle
import sys
import threading
import time
import traceback
from functools import partial
from multiprocessing.connection import Connection
from queue import Empty, Queue, SimpleQueue
from typing import Any

import anyio
import anyio.to_thread

from .. import events
from ..api.client import warm_up
from ..errors import CloudflareOAuthError
from ..resources import Resource
from .async_reader import AsyncReader, open_async_reader
from .messages import Await, Begin, End, Prefetch, Question, ReadAccounts
from .prefetch import PendingResult
from .process import connection_of
from .reader import LONGEST_SILENCE_SECONDS, AccountReading, CheckedListing, Hashes

# Accounts that wait to be read, and new clients that wait to be sent; unchanged clients are small.
WAITING_ACCOUNTS = 64
WAITING_CLIENTS = 2_000
# An event may wait so long for others, or for a result, to be sent with.
EVENTS_WAIT_SECONDS = 0.2
# HTTP leaves garbage that only the collector finds; rows are never garbage, so it need not look at each.
COLLECT_AFTER = (20_000, 10, 10)


class _Inbox:
    """The questions of the other process, received by a thread of its own."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._messages = Queue[Any](WAITING_ACCOUNTS)
        self._turn = anyio.Lock()
        self.thread = threading.Thread(target=self._receive, args=(pipe,), daemon=True)
        self.thread.start()

    async def next(self) -> Any:
        """Wait for the next message."""
        try:
            return self._messages.get_nowait()
        except Empty:
            return await anyio.to_thread.run_sync(self._messages.get)

    async def next_account(self) -> tuple[str, Hashes | None] | None:
        """Wait for the next account to read; None after the last."""
        async with self._turn:
            account: tuple[str, Hashes | None] | End = await self.next()
            if isinstance(account, End):
                # The other workers need to see it, too.
                self._messages.put(account)
                return None
            return account

    def _receive(self, pipe: "Connection[Any, Any]") -> None:
        while True:
            try:
                self._messages.put(pipe.recv())
            except (EOFError, OSError, pickle.UnpicklingError):
                os._exit(0)
            except BaseException:
                _exit_with_traceback()


class _Outbox:
    """Messages to the other process, sent by a thread of its own, so that no request waits for the pipe."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self.last_put = time.monotonic()
        self._messages = SimpleQueue[tuple[list[Any], int]]()
        self._events: list[events.Event] = []
        self._clients = 0
        self._fewer_clients = threading.Condition()
        threading.Thread(target=self._send, args=(pipe,), daemon=True).start()

    def observe(self, event: events.Event) -> None:
        """Send an event, soon."""
        self._events.append(event)
        may_wait = isinstance(event, events.RequestDone)
        if not may_wait or time.monotonic() > self.last_put + EVENTS_WAIT_SECONDS:
            self._put([])

    def put(self, message: Any) -> None:
        """Send a message without waiting."""
        self._put([message])

    async def put_reading(self, reading: AccountReading) -> None:
        """Send a reading, once not too many clients wait to be sent."""
        if not self._has_room():
            await anyio.to_thread.run_sync(self._wait_for_room)
        listing = reading.outcome
        new = 0
        if isinstance(listing, CheckedListing):
            new = sum(bool(row.columns) for row in listing.rows) + len(listing.rejections)
        self._put([reading], new)

    def _put(self, messages: list[Any], clients: int = 0) -> None:
        self.last_put = time.monotonic()
        observed, self._events = self._events, []
        with self._fewer_clients:
            self._clients += clients
        self._messages.put((observed + messages, clients))

    def _has_room(self) -> bool:
        return self._clients < WAITING_CLIENTS

    def _wait_for_room(self) -> None:
        with self._fewer_clients:
            self._fewer_clients.wait_for(self._has_room)

    def _send(self, pipe: "Connection[Any, Any]") -> None:
        while True:
            messages, clients = self._messages.get()
            try:
                pipe.send(messages)
            except BrokenPipeError:
                os._exit(1)
            except BaseException:
                _exit_with_traceback()
            with self._fewer_clients:
                self._clients -= clients
                self._fewer_clients.notify()


def _exit_with_traceback() -> None:
    # If only this thread ended, both processes would wait for ever.
    traceback.print_exc()
    os._exit(1)


async def _serve(inbox: _Inbox, outbox: _Outbox) -> None:
    begun: dict[str, PendingResult[CheckedListing]] = {}
    # The other process is still importing dlt.
    warm_up()
    # What has been imported stays; it need not be looked at again.
    gc.freeze()
    async with (
        open_async_reader(await inbox.next(), outbox.observe) as reader,
        anyio.create_task_group() as beside,
    ):
        while True:
            question: Question = await inbox.next()
            match question:
                case Prefetch(others_may_write):
                    await beside.start(reader.prefetch, others_may_write)
                case Begin(resource, known):
                    listing = begun[resource.table] = PendingResult[CheckedListing]()
                    beside.start_soon(listing.run, partial(reader.read, resource, known))
                case Await(resource):
                    try:
                        outbox.put(await begun.pop(resource.table).result())
                    except CloudflareOAuthError as error:
                        outbox.put(error)
                case ReadAccounts(resource):
                    await _read_accounts(resource, reader, inbox, outbox)


async def _read_accounts(resource: Resource, reader: AsyncReader, inbox: _Inbox, outbox: _Outbox) -> None:
    async def break_silence() -> None:
        while True:
            await anyio.sleep(LONGEST_SILENCE_SECONDS)
            if time.monotonic() > outbox.last_put + LONGEST_SILENCE_SECONDS:
                outbox.put(None)

    async with anyio.create_task_group() as beside:
        beside.start_soon(break_silence)
        await reader.read_accounts(resource, inbox.next_account, outbox.put_reading)
        beside.cancel_scope.cancel()
    await inbox.next()
    outbox.put(End.READINGS)


async def _run(inbox: _Inbox, outbox: _Outbox) -> None:
    try:
        await _serve(inbox, outbox)
    except Exception as error:
        # A defect; without the note the place would be lost.
        error.add_note(traceback.format_exc())
        outbox.put(error)
        inbox.thread.join()


def main() -> None:
    """Answer questions until their pipe ends."""
    gc.set_threshold(*COLLECT_AFTER)
    questions = connection_of(sys.argv[1], writable=False)
    results = connection_of(sys.argv[2], writable=True)
    try:
        inbox = _Inbox(questions)
        outbox = _Outbox(results)
    except Exception as error:
        # No thread may be started: it is for the other process to say so.
        results.send([error])
        return
    anyio.run(_run, inbox, outbox)


if __name__ == "__main__":
    main()
