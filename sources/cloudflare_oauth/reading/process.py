"""Reads every account's listing in a process of its own, so that reading and loading do not share a core.

The process is the program `reader_program`. The two talk through its standard input and output, in pickled
messages: questions one way; answers, and what happens meanwhile, the other.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, BinaryIO, cast

from .. import events
from ..errors import CloudflareError
from ..records.validation import CheckedListing
from .reader import AccountReading, Hashes, Settings


class Said(Enum):
    """What is said without more words; pickled, it stays itself."""

    NO_MORE = "no more"


_prepared: list["ProcessReader"] = []


def prepare() -> None:
    """Start the process now; the next reader is this one, and need not wait for its imports."""
    _prepared.append(ProcessReader())


def begin(settings: Settings, excluded: Collection[str]) -> None:
    """Let the next reader begin now to read ahead; as `Reader.prefetch` says."""
    if not _prepared:
        prepare()
    _prepared[-1].open(settings)
    _prepared[-1].prefetch(excluded)


def give_up() -> None:
    """End what `begin` began: the next reader reads anew."""
    while _prepared:
        _prepared.pop().close()


@contextmanager
def open_reader_process(settings: Settings, observer: events.Observer) -> Iterator["ProcessReader"]:
    """Run a reader in a process of its own until the context ends; the observer is told between answers."""
    reader = _prepared.pop() if _prepared else ProcessReader()
    try:
        reader.observer = observer
        reader.open(settings)
        yield reader
    finally:
        reader.close()


class ProcessReader:
    """A `Reader` whose requests are made, and their answers checked, in another process."""

    def __init__(self) -> None:
        self.observer: events.Observer = events.ignore
        self._settings: Settings | None = None
        self._excluded: Collection[str] | None = None
        self._feeder: threading.Thread | None = None
        self._start()

    def _start(self) -> None:
        # It finds the modules that this process finds, and no others: not those in the current folder.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cloudflare_oauth.reading.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            # Ctrl-C in a terminal is for this process alone, which decides what becomes of the other.
            process_group=0 if os.name == "posix" else None,
        )
        self._questions = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        self._received = deque[Any]()

    def open(self, settings: Settings) -> None:
        """Say how to ask the API, once; if something else was said before, begin anew."""
        if self._settings not in (None, settings):
            self._begin_anew()
        if self._settings is None:
            self._settings = settings
            self.tell(settings)

    def prefetch(self, excluded: Collection[str]) -> None:
        """As `Reader` says."""
        settings = self._settings
        if settings and self._excluded not in (None, excluded):
            self._begin_anew()
            self.open(settings)
        if self._excluded is None:
            self._excluded = excluded
            self.tell(("read ahead", excluded))

    def _begin_anew(self) -> None:
        self.close()
        self._settings = self._excluded = None
        self._start()

    def accounts(self, known: Hashes) -> CheckedListing:
        """As `Reader` says."""
        self.tell(("accounts", known))
        return cast(CheckedListing, self._answer())

    def scopes(self, known: Hashes) -> Callable[[], CheckedListing]:
        """As `Reader` says."""
        self.tell(("scopes", known))

        def wait() -> CheckedListing:
            self.tell(("wait for scopes", None))
            return cast(CheckedListing, self._answer())

        return wait

    def oauth_clients(self, accounts: Iterable[tuple[str, Hashes]]) -> Iterator[AccountReading | None]:
        """As `Reader` says."""
        self.tell(("oauth_clients", None))
        self._feeder = threading.Thread(target=self._feed, args=(accounts,), daemon=True)
        self._feeder.start()
        return self._readings()

    def _readings(self) -> Iterator[AccountReading | None]:
        while (reading := self._answer()) is not Said.NO_MORE:
            yield cast(AccountReading | None, reading)

    def tell(self, message: Any) -> None:
        """Send a message, unless the process has ended: that will be seen when its answer is missing."""
        with suppress(BrokenPipeError):
            pickle.dump(message, self._questions, pickle.HIGHEST_PROTOCOL)
            self._questions.flush()

    def close(self) -> None:
        """End the process: it has nothing to lose, and whoever still writes to it is let go."""
        self._process.kill()
        self._process.wait()
        if self._feeder:
            self._feeder.join()
        self._answers.close()
        with suppress(BrokenPipeError):
            self._questions.close()

    def _feed(self, accounts: Iterable[tuple[str, Hashes]]) -> None:
        # Pickled one by one as the pipe takes them: the process need not hold all that is stored.
        try:
            for account in accounts:
                if self._process.poll() is not None:
                    return
                self.tell(account)
            self.tell(Said.NO_MORE)
        except BaseException:
            # Otherwise both processes would wait for the other one.
            self._process.kill()
            raise

    def _answer(self) -> Any:
        """The next message that is not an event."""
        while True:
            message = self._next_message()
            if isinstance(message, events.Event):
                self.observer(message)
            elif isinstance(message, Exception):
                raise message
            else:
                return message

    def _next_message(self) -> Any:
        # They come several at a time.
        while not self._received:
            try:
                self._received.extend(pickle.load(self._answers))  # noqa: S301 - written by this package
            except (EOFError, pickle.UnpicklingError):
                raise CloudflareError(
                    f"the process that asks Cloudflare ended before its work did ({_end(self._process)}); "
                    "what was loaded so far is whole: sync again"
                ) from None
        return self._received.popleft()


def _end(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
