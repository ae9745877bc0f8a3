"""The ways a real API misbehaves, to be switched on and off while it is running.

| how it misbehaves | what to set |
|---|---|
| pages: honoured, capped, ignored, repeated, everything at once | `clients_paging`, `accounts_paging` |
| `result_info`: absent, null, incomplete, wrong | `…_result_info`, `result_info_of` |
| clients come and go, or change places, between two pages | `between` |
| an account refuses or is broken | `forbid()`, `not_found()`, `break_()` until `allow()` or `heal()` |
| the next answers go wrong | `fail_next()` |
| some answers go wrong | `fail_randomly()` |
| the quota is used up | `quota` |
| credentials are refused | `tokens`, `keys` |
| answers take their time | `latency_seconds` |
| headers are missing, odd or more | `headers` |
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
class _Planned:
    """Faults that wait for requests of a kind; `left` of them, or without end if None."""

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
class _Random:
    """Faults for a share of the answers."""

    sequence: tuple[Fault, ...]
    share: float
    seed: int | str
    path: str
    at_most_in_a_row: float


@dataclass
class Behaviour:
    """Everything that can be switched on. By default the API behaves."""

    tokens: set[str] = field(default_factory=lambda: {FAKE_TOKEN})
    """Accepted as `Authorization: Bearer …`."""
    keys: dict[str, str] = field(default_factory=lambda: {FAKE_EMAIL: FAKE_KEY})
    """Accepted as `X-Auth-Email` and `X-Auth-Key`."""
    clients_paging: Paging = field(default_factory=Paging)
    accounts_paging: Paging = field(default_factory=Paging)
    clients_result_info: ResultInfo = field(default_factory=ResultInfo)
    accounts_result_info: ResultInfo = field(default_factory=ResultInfo)
    result_info_of: dict[str, ResultInfo] = field(default_factory=dict)
    """By account, for its clients, in place of `clients_result_info`."""
    between: Callable[[str, int, Organisation], object] | None = None
    """Called with account, page number and organisation before each page of clients is cut."""
    quota: RateLimit = field(default_factory=unlimited)
    latency_seconds: float = 0
    headers: dict[str, str | None] = field(default_factory=dict)
    """Set on every answer, last of all; None takes a header away."""
    _standing: dict[str, Fault] = field(default_factory=dict)
    _planned: list[_Planned] = field(default_factory=list)
    _random: list[_Random] = field(default_factory=list)
    _asked: Counter[str] = field(default_factory=Counter)
    _failed_in_a_row: Counter[str] = field(default_factory=Counter)

    def forbid(self, account_id: str) -> None:
        """The credentials may not list this account's clients: 403, code 10000."""
        self.break_(account_id, faults.forbidden())

    def not_found(self, account_id: str) -> None:
        """This account's clients are not to be found: 404, code 7003."""
        self.break_(account_id, faults.not_found())

    def break_(self, account_id: str, fault: Fault) -> None:
        """Every listing of this account's clients goes wrong in this way."""
        self._standing[account_id] = fault

    def allow(self, account_id: str) -> None:
        """This account's clients can be listed again."""
        self._standing.pop(account_id, None)

    def heal(self) -> None:
        """No account is refused or broken, and no fault is waiting, any more."""
        self._standing.clear()
        self._planned.clear()
        self._random.clear()

    def fail_next(
        self,
        *sequence: Fault,
        times: int | None = 1,
        path: str = "*",
        page: int | None = None,
        after: int = 0,
    ) -> None:
        """The next requests get these faults, one each, the whole sequence `times` times.

        Args:
            times: how often; None is for ever.
            path: which requests, as a pattern: `/accounts`, `*/oauth_clients`.
            page: which page, by the request's `page`; a request without one asks for page 1.
            after: how many such requests are answered well before.
        """
        left = None if times is None else times * len(sequence)
        self._planned.append(_Planned(sequence, path, page, after, left))

    def fail_randomly(
        self,
        *sequence: Fault,
        share: float,
        seed: int | str = 0,
        path: str = "*",
        at_most_in_a_row: float = math.inf,
    ) -> None:
        """This share of the answers gets one of these faults.

        Which one is decided by the seed, what is asked for and how often it was asked before:
        the order in which concurrent requests arrive makes no difference.

        Args:
            share: between 0 and 1.
            at_most_in_a_row: after so many faults, the same request is answered well once.
        """
        self._random.append(_Random(sequence, share, seed, path, at_most_in_a_row))

    def fault_for(self, path: str, query: dict[str, str]) -> Fault | None:
        """The fault this request gets, if any; takes it out of the queue."""
        page = query.get("page", "1")
        for planned in self._planned:
            if fnmatchcase(path, planned.path) and planned.page in (None, _number(page)):
                fault = planned.take()
                if fault is not None:
                    return fault
        return self._random_fault(path, f"{path}?{sorted(query.items())}")

    def standing_fault(self, account_id: str) -> Fault | None:
        """The fault every listing of this account's clients gets, if any."""
        return self._standing.get(account_id)

    def _random_fault(self, path: str, question: str) -> Fault | None:
        self._asked[question] += 1
        for chance in self._random:
            if not fnmatchcase(path, chance.path):
                continue
            draw = random.Random(f"{chance.seed} {question} {self._asked[question]}")
            if self._failed_in_a_row[question] >= chance.at_most_in_a_row:
                continue
            if draw.random() < chance.share:
                self._failed_in_a_row[question] += 1
                return draw.choice(chance.sequence)
        self._failed_in_a_row[question] = 0
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
