"""The program that reads: it answers the questions of another process (see `reader_process`).

It imports neither dlt nor a destination, so it is ready long before the one that started it. When its input
ends, because all is done or because the other process was killed, it ends.
"""

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from queue import Queue, SimpleQueue
from typing import Any, BinaryIO

from .errors import CloudflareOAuthError
from .reader import AccountReading
from .reader_process import Said
from .reader_thread import open_reader_thread
from .rows import CheckedListing

# Accounts that wait to be read, and clients that wait to be handed over.
ACCOUNTS_AHEAD = 64
CLIENTS_AHEAD = 2_000
# HTTP leaves garbage that only the collector finds; parsed rows are none, so it need not look at each.
COLLECT_AFTER = (20_000, 10, 10)


class _Outbox:
    """Messages to the other process, written by a thread of its own: no request waits for the pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self._messages = SimpleQueue[Any]()
        self._clients = 0
        self._fewer_clients = threading.Condition()
        threading.Thread(target=self._write, args=(file,), daemon=True).start()

    def put(self, message: Any) -> None:
        """Send a message without waiting."""
        self._messages.put((message, 0))

    def put_reading(self, reading: AccountReading | None) -> None:
        """Send a reading as soon as not too many clients wait to be sent."""
        listing = reading.outcome if reading else None
        clients = listing.listed if isinstance(listing, CheckedListing) else 0
        with self._fewer_clients:
            self._fewer_clients.wait_for(lambda: self._clients < CLIENTS_AHEAD)
            self._clients += clients
        self._messages.put((reading, clients))

    def _write(self, file: BinaryIO) -> None:
        while True:
            message, clients = self._messages.get()
            try:
                # Written at once: between parts of it, this thread would have to get its turn again.
                file.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
                file.flush()
            except BrokenPipeError:
                os._exit(1)
            with self._fewer_clients:
                self._clients -= clients
                self._fewer_clients.notify()


def _read_questions(file: BinaryIO, questions: Queue[Any]) -> None:
    while True:
        try:
            questions.put(pickle.load(file))  # noqa: S301 - written by this module
        except (EOFError, pickle.UnpicklingError):
            os._exit(0)


def _serve(questions: Queue[Any], outbox: _Outbox) -> None:
    wait_for_scopes: Callable[[], CheckedListing] | None = None
    with open_reader_thread(questions.get(), outbox.put) as reader:
        while True:
            question, known = questions.get()
            try:
                match question:
                    case "accounts":
                        outbox.put(reader.accounts(known))
                    case "scopes":
                        wait_for_scopes = reader.scopes(known)
                    case "wait for scopes" if wait_for_scopes:
                        outbox.put(wait_for_scopes())
                    case "oauth_clients":
                        for reading in reader.oauth_clients(iter(questions.get, Said.NO_MORE)):
                            outbox.put_reading(reading)
                        outbox.put(Said.NO_MORE)
            except CloudflareOAuthError as error:
                outbox.put(error)


def main() -> None:
    """Answer questions until there can be no more of them."""
    # Ctrl-C in a terminal is sent to both processes; the other one decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*COLLECT_AFTER)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Nothing but messages may get between them.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    questions = Queue[Any](ACCOUNTS_AHEAD)
    listening = threading.Thread(target=_read_questions, args=(sys.stdin.buffer, questions), daemon=True)
    listening.start()
    outbox = _Outbox(answers)
    try:
        _serve(questions, outbox)
    except Exception as error:
        # Ours to mend; without the note, where it happened would be lost.
        error.add_note(traceback.format_exc())
        outbox.put(error)
        listening.join()


if __name__ == "__main__":
    main()
