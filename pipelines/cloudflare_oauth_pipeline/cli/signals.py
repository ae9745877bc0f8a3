"""How the program is told to end from outside: by Ctrl-C, SIGTERM or SIGHUP."""

import signal
from types import FrameType
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP has arrived; handled like Ctrl-C. `signal_code` is as in dlt's exception."""

    def __init__(self, signal_code: int) -> None:
        super().__init__(signal.Signals(signal_code).name)
        self.signal_code = signal_code


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does: with a sentence, and with all files closed.

    The first process of a container has to do so itself: there the system ignores SIGTERM otherwise.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` has the signal ignored.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    # A second one ends the program at once.
    signal.signal(number, signal.SIG_DFL)
    raise TerminatedError(number)
