"""Settings with short limits for requests to the fake API, and the types of the request fixtures."""

from collections.abc import Callable
from typing import Any

from cloudflare_oauth import Limits, SyncSettings
from cloudflare_oauth.api.listing import Listing
from cloudflare_oauth.api.responses import ApiResponse
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi

# Short waits, so that tests of retries take milliseconds; long time-outs, for a machine that is busy.
LIMITS = Limits(
    connect_seconds=1,
    read_seconds=5,
    total_seconds=10,
    attempts=5,
    first_backoff_seconds=0.001,
    longest_backoff_seconds=0.01,
)

List = Callable[..., Listing]
Get = Callable[..., ApiResponse]


def settings_for(api: FakeApi, **changes: Any) -> SyncSettings:
    """Return settings for the fake API, with a valid token and short limits."""
    return SyncSettings(**{"base_url": api.base_url, "api_token": FAKE_TOKEN, "limits": LIMITS} | changes)
