"""What the bundled API was asked, in the order it was asked."""

import threading
from dataclasses import dataclass


@dataclass
class LoggedRequest:
    """One request, from its arrival on."""

    method: str
    path: str
    """Below the base URL: `/accounts`."""
    query: dict[str, str]
    headers: dict[str, str]
    """By name in lower case."""
    account_id: str | None
    port: int | None
    """The port it came from: one for each connection."""
    time: float
    """When it arrived, in monotonic seconds."""
    status: int | None = None
    """None as long as there is no answer, and for good if there never is one."""
    answered_at: float | None = None
    """When sending the answer began, in monotonic seconds."""


class RequestLog(list[LoggedRequest]):
    """The requests so far."""

    def __init__(self) -> None:
        super().__init__()
        self._arrival = threading.Condition()

    def arrive(self, request: LoggedRequest) -> None:
        """Log a request, and wake whoever waits for it."""
        with self._arrival:
            self.append(request)
            self._arrival.notify_all()

    def wait_for(self, count: int, timeout_seconds: float = 10) -> None:
        """Return once so many requests have arrived; `TimeoutError` if they do not."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self)} requests arrived in {timeout_seconds} s, not {count}")

    def of(self, account_id: str) -> list[LoggedRequest]:
        """The requests for one account."""
        return [request for request in self if request.account_id == account_id]

    def paths(self) -> list[str]:
        """What was asked for, without the queries."""
        return [request.path for request in self]

    def most_at_once(self) -> int:
        """How many requests were waiting for their answers at the same time, at most.

        Only an API with a latency keeps anyone waiting; without one, it is 1.
        """
        moments = [(request.time, 1) for request in self]
        moments += [(request.answered_at, -1) for request in self if request.answered_at is not None]
        waiting = most = 0
        for _, step in sorted(moments):
            waiting += step
            most = max(most, waiting)
        return most
