"""The fake API: a real HTTP server on loopback that speaks Cloudflare's API for a made-up organisation.

`cloudflare-oauth demo` syncs from it, tests make it misbehave, and benchmarks use its rate limit.
It imports nothing else of the project.

* `server`: runs the API on a free port (`FakeApi`).
* `app`: routes requests and builds the responses, as an ASGI application.
* `accounts_and_clients`: the accounts, clients and scopes that are served (`Organisation`).
* `scopes`: Cloudflare's catalogue of OAuth scopes.
* `credentials`: accepts or rejects tokens and API keys.
* `envelope`: an HTTP response before it is sent, and Cloudflare's JSON envelope in it.
* `behaviour`: every way in which the API can misbehave (`Behaviour`).
* `paging`: how listings are cut into pages, and what `result_info` says.
* `faults`: how a single response goes wrong.
* `rate_limit`: Cloudflare's rate limit and its headers.
* `request_log`: the requests that arrived.
* `wire`: sends a response over the connection in whole, in part or not at all.
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
