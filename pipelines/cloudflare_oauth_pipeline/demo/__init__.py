"""The bundled API: a real HTTP server on this machine that speaks Cloudflare's over a made-up estate.

`cloudflare-oauth demo` syncs from it, and the tests make it misbehave.

* `estate`: the accounts, clients and scopes it has.
* `population`: the estate of the demo; `orderly` and `careless` are its clients.
* `catalogue`: Cloudflare's scopes.
* `behaviour`: the ways it can misbehave; `paging`, `faults` and `quota` are the parts.
* `api`: what it answers; `credentials`, `answer` and `wire` are the parts.
* `server`: where it runs; `request_log` is what it was asked.
"""

from .behaviour import DEMO_EMAIL, DEMO_KEY, DEMO_TOKEN, Behaviour
from .catalogue import OAUTH_SCOPES
from .estate import ABSENT, Estate, account_id
from .faults import Fault
from .paging import Paging, ResultInfo
from .population import demo_estate
from .quota import Quota
from .request_log import LoggedRequest, RequestLog
from .server import DemoServer

__all__ = [
    "ABSENT",
    "DEMO_EMAIL",
    "DEMO_KEY",
    "DEMO_TOKEN",
    "OAUTH_SCOPES",
    "Behaviour",
    "DemoServer",
    "Estate",
    "Fault",
    "LoggedRequest",
    "Paging",
    "Quota",
    "RequestLog",
    "ResultInfo",
    "account_id",
    "demo_estate",
]
