"""OAuth clients of Cloudflare accounts, as a dlt source.

The data's way, one module a step:

    configuration   settings: arguments, environment, dlt's configuration
    client          one request, tried again while that may help (quota: when it may be made)
    answers         what came of it: a result, or what went wrong
    listing         pages to a listing that is proven whole, or known not to be
    rows            items to typed rows, or rejections (secrecy: what is dropped)
    async_reader    every account's listing, several requests at a time (ahead: what is begun early)
    reader          the same for who does not wait in an event loop: on a thread or in a process
    stored          what the dataset holds
    comparison      a listing against what is stored: what to write, what to log
    inventory       all of that for one sync: rows by table
    columns         the tables and their columns (schema: as declared to dlt)
    source          the same as dlt resources
"""

from typing import TYPE_CHECKING, Any

from .errors import (
    AuthenticationError,
    CloudflareError,
    CloudflareOAuthError,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
    RequestFailedError,
)
from .settings import Limits

if TYPE_CHECKING:
    from .source import cloudflare_oauth

__all__ = [
    "AuthenticationError",
    "CloudflareError",
    "CloudflareOAuthError",
    "ConfigurationError",
    "ForbiddenError",
    "Limits",
    "NotFoundError",
    "RequestFailedError",
    "cloudflare_oauth",
]


def __getattr__(name: str) -> Any:
    # Only who asks for the source imports dlt: the process that reads does without.
    if name != "cloudflare_oauth":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .source import cloudflare_oauth

    return cloudflare_oauth
