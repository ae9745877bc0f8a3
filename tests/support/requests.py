"""Requests to the fake API without a pipeline: short limits, a connection, types of the fixtures."""

from collections.abc import Callable

from cloudflare_oauth import Limits
from cloudflare_oauth.api.listing import Listing
from cloudflare_oauth.api.responses import ApiResponse
from cloudflare_oauth.settings import Connection, Credentials
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi

# No test waits longer than it must.
LIMITS = Limits(
    connect_seconds=1,
    read_seconds=0.3,
    total_seconds=0.6,
    attempts=5,
    first_backoff_seconds=0.001,
    longest_backoff_seconds=0.01,
)

List = Callable[..., Listing]
Get = Callable[..., ApiResponse]


def connection_to(api: FakeApi) -> Connection:
    """The fake API and a token for it."""
    return Connection(base_url=api.base_url, credentials=Credentials(api_token=FAKE_TOKEN))
