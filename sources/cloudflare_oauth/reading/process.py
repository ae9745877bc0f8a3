"""The reader in a process of its own, so that reading and loading do not share a core.

The process runs the program `worker`. The two exchange pickled messages over two pipes of their own, never
over standard input and output, which anything that the worker imports may use.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any, cast

from .. import events
from ..errors import CloudflareError
from ..resources import Resource
from ..settings import SyncSettings
from .messages import Await, Begin, End, Prefetch, Question, ReadAccounts
from .reader import AccountReading, CheckedListing, Hashes

_prepared: list["ProcessReader"] = []


def start_reader_process() -> None:
    """Start a process in advance; the next reader is this one, and need not wait for its imports."""
    _prepared.append(ProcessReader())


def prefetch_in_process(settings: SyncSettings) -> None:
    """Let the next reader begin to prefetch now, as `Reader.prefetch` says; no other process may write."""
    if not _prepared:
        start_reader_process()
    _prepared[-1].open(settings)
    _prepared[-1].prefetch(others_may_write=False)


def abandon_prefetch() -> None:
    """End the processes that no reader has taken."""
    while _prepared:
        _prepared.pop().close()


@contextmanager
def open_reader_process(settings: SyncSettings, observer: events.Observer) -> Iterator["ProcessReader"]:
    """Run a reader in a process of its own until the context ends; events are reported between results."""
    reader = _prepared.pop() if _prepared else ProcessReader()
    try:
        reader.observer = observer
        reader.open(settings)
        yield reader
    finally:
        reader.close()


class ProcessReader:
    """A `Reader` that sends requests and checks items in another process."""

    def __init__(self) -> None:
        self.observer: events.Observer = events.ignore
        self._settings: SyncSettings | None = None
        self._is_prefetching = False
        self._feeder: threading.Thread | None = None
        self._start()

    def _start(self) -> None:
        # The worker finds the modules that this process finds, and no others: none in the current folder.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        questions, self._questions = Pipe(duplex=False)
        self._results, results = Pipe(duplex=False)
        with questions, results:
            descriptors = (questions.fileno(), results.fileno())
            self._process = subprocess.Popen(  # noqa: S603  # this Python and a module of this package
                [sys.executable, "-P", "-m", "cloudflare_oauth.reading.worker", *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                # Ctrl-C in a terminal reaches this process alone, which then ends the other one.
                process_group=0,
            )
        self._received = deque[Any]()

    def open(self, settings: SyncSettings) -> None:
        """Send the settings, once; if it was opened with other settings before, start again."""
        if self._settings not in (None, settings):
            self.close()
            self._settings, self._is_prefetching = None, False
            self._start()
        if self._settings is None:
            self._settings = settings
            self._send(settings)

    def prefetch(self, *, others_may_write: bool) -> None:
        """As in `Reader`."""
        if not self._is_prefetching:
            self._is_prefetching = True
            self.ask(Prefetch(others_may_write))

    def begin(self, resource: Resource, known: Hashes) -> Callable[[], CheckedListing]:
        """As in `Reader`."""
        self.ask(Begin(resource, known))

        def wait() -> CheckedListing:
            self.ask(Await(resource))
            return cast(CheckedListing, self.receive())

        return wait

    def read_accounts(
        self, resource: Resource, accounts: Iterable[tuple[str, Hashes | None]]
    ) -> Iterator[AccountReading | None]:
        """As in `Reader`."""
        self.ask(ReadAccounts(resource))
        self._feeder = threading.Thread(target=self._feed, args=(accounts,), daemon=True)
        self._feeder.start()
        return self._readings()

    def _readings(self) -> Iterator[AccountReading | None]:
        while (reading := self.receive()) is not End.READINGS:
            yield cast(AccountReading | None, reading)

    def ask(self, question: Question) -> None:
        """Send a question."""
        self._send(question)

    def receive(self) -> Any:
        """The next result; events that arrive before it go to the observer.

        Raises:
            CloudflareError: the result is one, or the worker has ended.
        """
        while True:
            message = self._next_message()
            if isinstance(message, events.Event):
                self.observer(message)
            elif isinstance(message, Exception):
                raise message
            else:
                return message

    def close(self) -> None:
        """End the worker, which has nothing to lose, and the thread that still writes to it."""
        self._process.kill()
        self._process.wait()
        # A signal may have come before the thread began. It then finds that the worker has ended.
        if self._feeder and self._feeder.is_alive():
            self._feeder.join()
        self._results.close()
        self._questions.close()

    def _send(self, message: Any) -> None:
        # If the worker has ended, its missing result will tell.
        with suppress(BrokenPipeError):
            self._questions.send(message)

    def _feed(self, accounts: Iterable[tuple[str, Hashes | None]]) -> None:
        # One by one, as the pipe takes them: the worker need not hold everything that is stored.
        try:
            for account in accounts:
                if self._process.poll() is not None:
                    return
                self._send(account)
            self._send(End.ACCOUNTS)
        except BaseException:
            # Otherwise both processes would wait for each other.
            self._process.kill()
            raise

    def _next_message(self) -> Any:
        # They arrive several at a time.
        while not self._received:
            try:
                self._received.extend(self._results.recv())
            except (EOFError, OSError, pickle.UnpicklingError):
                raise CloudflareError(
                    "the process that sends requests to Cloudflare ended before its work did "
                    f"({_end(self._process)}); what was loaded so far is whole: sync again"
                ) from None
        return self._received.popleft()


def connection_of(descriptor: str, *, writable: bool) -> "Connection[Any, Any]":
    """The worker's end of a pipe, from its argument."""
    return Connection(int(descriptor), readable=not writable, writable=writable)


def _end(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        # It still runs, but without its pipe it is of no use.
        process.kill()
        code = process.wait()
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
