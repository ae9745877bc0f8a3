"""The misbehaviour of real APIs, switched on and off while the fake API is running.

| misbehaviour | set or call |
|---|---|
| pages are capped, ignored, repeated, or everything comes at once | `clients_paging`, `accounts_paging` |
| `result_info` is absent, null, incomplete or wrong | `…_result_info`, `result_info_of` |
| clients are added, removed or reordered between two pages | `between` |
| listing one account fails | `forbid()`, `not_found()`, `break_()`; undo with `allow()`, `heal()` |
| the next responses go wrong | `fail_next()` |
| a share of the responses goes wrong | `fail_randomly()` |
| the rate limit is exceeded | `quota` |
| credentials are rejected | `tokens`, `keys` |
| responses are slow | `latency_seconds` |
| headers are missing, malformed or additional | `headers` |
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from . import faults
from .accounts_and_clients import Organisation
from .faults import Fault
from .paging import Paging, ResultInfo
from .rate_limit import RateLimit, unlimited

FAKE_TOKEN = "demo-token-of-the-bundled-api"
FAKE_EMAIL = "demo@example.com"
FAKE_KEY = "demo-key-of-the-bundled-api"


@dataclass
class _QueuedFaults:
    """Faults queued for matching requests: `left` more of them, or endless if None.

    The first `passes` matching requests get no fault.
    """

    sequence: tuple[Fault, ...]
    path: str
    page: int | None
    passes: int
    left: int | None
    served: int = 0

    def take(self) -> Fault | None:
        if self.passes > 0:
            self.passes -= 1
            return None
        if self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        self.served += 1
        return self.sequence[(self.served - 1) % len(self.sequence)]


@dataclass(frozen=True)
class _RandomFaults:
    """Faults for a random share of the responses."""

    sequence: tuple[Fault, ...]
    share: float
    seed: int | str
    path: str
    at_most_in_a_row: float


@dataclass
class Behaviour:
    """Everything that can be switched on; by default the API works correctly."""

    tokens: set[str] = field(default_factory=lambda: {FAKE_TOKEN})
    """Accepted as `Authorization: Bearer …`."""
    keys: dict[str, str] = field(default_factory=lambda: {FAKE_EMAIL: FAKE_KEY})
    """Accepted as `X-Auth-Email` and `X-Auth-Key`."""
    clients_paging: Paging = field(default_factory=Paging)
    accounts_paging: Paging = field(default_factory=Paging)
    clients_result_info: ResultInfo = field(default_factory=ResultInfo)
    accounts_result_info: ResultInfo = field(default_factory=ResultInfo)
    result_info_of: dict[str, ResultInfo] = field(default_factory=dict)
    """By account id; overrides `clients_result_info`."""
    between: Callable[[str, int, Organisation], object] | None = None
    """Called with account id, page number and organisation before each page of clients is cut."""
    quota: RateLimit = field(default_factory=unlimited)
    latency_seconds: float = 0
    headers: dict[str, str | None] = field(default_factory=dict)
    """Set on every response, overriding all other headers; None removes a header."""
    _standing: dict[str, Fault] = field(default_factory=dict)
    _queued: list[_QueuedFaults] = field(default_factory=list)
    _random_faults: list[_RandomFaults] = field(default_factory=list)
    _request_counts: Counter[str] = field(default_factory=Counter)
    _failed_in_a_row: Counter[str] = field(default_factory=Counter)

    def forbid(self, account_id: str) -> None:
        """Forbid listing this account's clients: 403, code 10000."""
        self.break_(account_id, faults.forbidden())

    def not_found(self, account_id: str) -> None:
        """Make this account's clients not found: 404, code 7003."""
        self.break_(account_id, faults.not_found())

    def break_(self, account_id: str, fault: Fault) -> None:
        """Answer every listing of this account's clients with this fault."""
        self._standing[account_id] = fault

    def allow(self, account_id: str) -> None:
        """Allow listing this account's clients again."""
        self._standing.pop(account_id, None)

    def heal(self) -> None:
        """End all faults: those of accounts, queued ones and random ones."""
        self._standing.clear()
        self._queued.clear()
        self._random_faults.clear()

    def fail_next(
        self,
        *sequence: Fault,
        times: int | None = 1,
        path: str = "*",
        page: int | None = None,
        after: int = 0,
    ) -> None:
        """Answer the next requests with these faults, one each, repeating the sequence `times` times.

        Args:
            times: how often the sequence comes; None repeats it for ever.
            path: pattern of the requests it applies to: `/accounts`, `*/oauth_clients`.
            page: only requests for this page; a request without `page` asks for page 1.
            after: how many matching requests succeed first.
        """
        left = None if times is None else times * len(sequence)
        self._queued.append(_QueuedFaults(sequence, path, page, after, left))

    def fail_randomly(
        self,
        *sequence: Fault,
        share: float,
        seed: int | str = 0,
        path: str = "*",
        at_most_in_a_row: float = math.inf,
    ) -> None:
        """Answer a share of the requests with one of these faults.

        The seed, the request and the number of earlier identical requests decide which:
        the order in which concurrent requests arrive makes no difference.

        Args:
            share: between 0 and 1.
            at_most_in_a_row: after this many faults in a row, the same request succeeds once.
        """
        self._random_faults.append(_RandomFaults(sequence, share, seed, path, at_most_in_a_row))

    def fault_for(self, path: str, query: dict[str, str]) -> Fault | None:
        """The fault for this request, if any; removes it from the queue."""
        page = query.get("page", "1")
        for queued in self._queued:
            if fnmatchcase(path, queued.path) and queued.page in (None, _number(page)):
                fault = queued.take()
                if fault is not None:
                    return fault
        return self._random_fault(path, f"{path}?{sorted(query.items())}")

    def standing_fault(self, account_id: str) -> Fault | None:
        """The fault for every listing of this account's clients, if any."""
        return self._standing.get(account_id)

    def _random_fault(self, path: str, request: str) -> Fault | None:
        self._request_counts[request] += 1
        for chance in self._random_faults:
            if not fnmatchcase(path, chance.path):
                continue
            draw = random.Random(f"{chance.seed} {request} {self._request_counts[request]}")
            if self._failed_in_a_row[request] >= chance.at_most_in_a_row:
                continue
            if draw.random() < chance.share:
                self._failed_in_a_row[request] += 1
                return draw.choice(chance.sequence)
        self._failed_in_a_row[request] = 0
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
