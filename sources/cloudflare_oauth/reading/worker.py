"""The program that reads: it answers the questions of another process (see `reader_process`).

It imports neither dlt nor a destination, so it is ready long before the one that started it. When its input
ends, because all is done or because the other process was killed, it ends.

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
from queue import Empty, Queue, SimpleQueue
from typing import Any, BinaryIO

import anyio
import anyio.to_thread

from .. import events
from ..api.client import warm_up
from ..errors import CloudflareOAuthError
from ..records.validation import CheckedListing
from .async_reader import AsyncReader, open_async_reader
from .prefetch import PendingResult
from .process import Said
from .reader import LONGEST_SILENCE_SECONDS, AccountReading, Hashes

# Accounts that wait to be read, and new clients that wait to be handed over: what is stored already is small.
ACCOUNTS_AHEAD = 64
CLIENTS_AHEAD = 2_000
# So long an event may wait for others, or for an answer, to go with.
EVENTS_WAIT_SECONDS = 0.2
# HTTP leaves garbage that only the collector finds; parsed rows are none, so it need not look at each.
COLLECT_AFTER = (20_000, 10, 10)


class _Inbox:
    """Questions of the other process, read by a thread of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._questions = Queue[Any](ACCOUNTS_AHEAD)
        self._turn = anyio.Lock()
        self.thread = threading.Thread(target=self._read, args=(file,), daemon=True)
        self.thread.start()

    async def next(self) -> Any:
        """The next question, when it is there."""
        try:
            return self._questions.get_nowait()
        except Empty:
            return await anyio.to_thread.run_sync(self._questions.get)

    async def next_account(self) -> tuple[str, Hashes] | None:
        """The next account to read."""
        async with self._turn:
            account: tuple[str, Hashes] | Said = await self.next()
            if isinstance(account, Said):
                # For whoever asks next, too.
                self._questions.put(account)
                return None
            return account

    def _read(self, file: BinaryIO) -> None:
        while True:
            try:
                self._questions.put(pickle.load(file))  # noqa: S301 - written by `reader_process`
            except (EOFError, pickle.UnpicklingError):
                os._exit(0)
            except BaseException:
                _end()


class _Outbox:
    """Messages to the other process, written by a thread of its own: no request waits for the pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self.last_put = time.monotonic()
        self._messages = SimpleQueue[tuple[list[Any], int]]()
        self._events: list[events.Event] = []
        self._clients = 0
        self._fewer_clients = threading.Condition()
        threading.Thread(target=self._write, args=(file,), daemon=True).start()

    def observe(self, event: events.Event) -> None:
        """Tell of an event, before long."""
        self._events.append(event)
        waits = isinstance(event, events.RequestDone)
        if not waits or time.monotonic() > self.last_put + EVENTS_WAIT_SECONDS:
            self._put([])

    def put(self, message: Any) -> None:
        """Send a message without waiting."""
        self._put([message])

    async def put_reading(self, reading: AccountReading) -> None:
        """Send a reading as soon as not too many clients wait to be sent."""
        if not self._has_room():
            await anyio.to_thread.run_sync(self._wait_for_room)
        listing = reading.outcome
        new = 0
        if isinstance(listing, CheckedListing):
            new = sum(bool(row.columns) for row in listing.rows) + len(listing.rejections)
        self._put([reading], new)

    def _put(self, messages: list[Any], clients: int = 0) -> None:
        self.last_put = time.monotonic()
        told, self._events = self._events, []
        with self._fewer_clients:
            self._clients += clients
        self._messages.put((told + messages, clients))

    def _has_room(self) -> bool:
        return self._clients < CLIENTS_AHEAD

    def _wait_for_room(self) -> None:
        with self._fewer_clients:
            self._fewer_clients.wait_for(self._has_room)

    def _write(self, file: BinaryIO) -> None:
        while True:
            messages, clients = self._messages.get()
            try:
                # Written at once: between parts of it, this thread would have to get its turn again.
                file.write(pickle.dumps(messages, pickle.HIGHEST_PROTOCOL))
                file.flush()
            except BrokenPipeError:
                os._exit(1)
            except BaseException:
                _end()
            with self._fewer_clients:
                self._clients -= clients
                self._fewer_clients.notify()


def _end() -> None:
    # A thread that ended alone would let both processes wait for ever.
    traceback.print_exc()
    os._exit(1)


async def _serve(inbox: _Inbox, outbox: _Outbox) -> None:
    scopes = PendingResult[CheckedListing]()
    # The other process is still importing dlt.
    warm_up()
    async with (
        open_async_reader(await inbox.next(), outbox.observe) as reader,
        anyio.create_task_group() as beside,
    ):
        while True:
            question, about = await inbox.next()
            try:
                match question:
                    case "read ahead":
                        await beside.start(reader.prefetch, about)
                    case "accounts":
                        outbox.put(await reader.accounts(about))
                    case "scopes":
                        beside.start_soon(scopes.run, partial(reader.scopes, about))
                    case "wait for scopes":
                        outbox.put(await scopes.outcome())
                    case "oauth_clients":
                        await _read_oauth_clients(reader, inbox, outbox)
            except CloudflareOAuthError as error:
                outbox.put(error)


async def _read_oauth_clients(reader: AsyncReader, inbox: _Inbox, outbox: _Outbox) -> None:
    async def break_silence() -> None:
        while True:
            await anyio.sleep(LONGEST_SILENCE_SECONDS)
            if time.monotonic() > outbox.last_put + LONGEST_SILENCE_SECONDS:
                outbox.put(None)

    async with anyio.create_task_group() as beside:
        beside.start_soon(break_silence)
        await reader.oauth_clients(inbox.next_account, outbox.put_reading)
        beside.cancel_scope.cancel()
    await inbox.next()
    outbox.put(Said.NO_MORE)


async def _main(inbox: _Inbox, outbox: _Outbox) -> None:
    try:
        await _serve(inbox, outbox)
    except Exception as error:
        # Ours to mend; without the note, where it happened would be lost.
        error.add_note(traceback.format_exc())
        outbox.put(error)
        inbox.thread.join()


def main() -> None:
    """ApiResponse questions until there can be no more of them."""
    gc.set_threshold(*COLLECT_AFTER)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Nothing but messages may get between them.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    anyio.run(_main, _Inbox(sys.stdin.buffer), _Outbox(answers))


if __name__ == "__main__":
    main()
