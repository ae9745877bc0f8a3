"""The log of requests that reached the fake API, in order of arrival."""

import threading
from dataclasses import dataclass


@dataclass
class LoggedRequest:
    """One request; `status` and `answered_at` are filled in when its response is sent."""

    method: str
    path: str
    """Relative to the base URL: `/accounts`."""
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    account_id: str | None
    port: int | None
    """The client's port: one per connection."""
    time: float
    """When the request arrived, in monotonic seconds."""
    status: int | None = None
    """None until there is a response, and for good if none is ever sent."""
    answered_at: float | None = None
    """When sending the response began, in monotonic seconds."""


class RequestLog(list[LoggedRequest]):
    """The requests so far, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self._arrival = threading.Condition()

    def record(self, request: LoggedRequest) -> None:
        """Append a request and wake the threads that wait for one."""
        with self._arrival:
            self.append(request)
            self._arrival.notify_all()

    def wait_for(self, count: int, timeout_seconds: float = 10) -> None:
        """Block until `count` requests have arrived.

        Raises:
            TimeoutError: fewer arrived in time.
        """
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self)} requests arrived in {timeout_seconds} s, not {count}")

    def of(self, account_id: str) -> list[LoggedRequest]:
        """The requests for one account."""
        return [request for request in self if request.account_id == account_id]

    def paths(self) -> list[str]:
        """The path of every request, without its query."""
        return [request.path for request in self]

    def most_at_once(self) -> int:
        """The largest number of requests that waited for a response at the same time.

        Without `latency_seconds` responses are immediate, so that this is 1.
        """
        moments = [(request.time, 1) for request in self]
        moments += [(request.answered_at, -1) for request in self if request.answered_at is not None]
        waiting = most = 0
        for _, step in sorted(moments):
            waiting += step
            most = max(most, waiting)
        return most
