"""The bundled API: a real HTTP server on this machine that speaks Cloudflare's over a made-up organisation.

`cloudflare-oauth demo` syncs from it, and the tests make it misbehave.

* `organisation`: the accounts, clients and scopes it has.
* `population`: the organisation of the demo; `ordinary` and `risky` are its clients.
* `catalogue`: Cloudflare's scopes.
* `behaviour`: the ways it can misbehave; `paging`, `faults` and `quota` are the parts.
* `api`: what it answers; `credentials`, `answer` and `wire` are the parts.
* `server`: where it runs; `request_log` is what it was asked.
"""

from .accounts_and_clients import ABSENT, Organisation, account_id
from .behaviour import FAKE_EMAIL, FAKE_KEY, FAKE_TOKEN, Behaviour
from .faults import Fault
from .paging import Paging, ResultInfo
from .rate_limit import RateLimit
from .request_log import LoggedRequest, RequestLog
from .scopes import OAUTH_SCOPES
from .server import FakeApi

__all__ = [
    "ABSENT",
    "FAKE_EMAIL",
    "FAKE_KEY",
    "FAKE_TOKEN",
    "OAUTH_SCOPES",
    "Behaviour",
    "FakeApi",
    "Fault",
    "LoggedRequest",
    "Organisation",
    "Paging",
    "RateLimit",
    "RequestLog",
    "ResultInfo",
    "account_id",
]
