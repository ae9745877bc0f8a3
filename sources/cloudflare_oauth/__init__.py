"""OAuth clients of Cloudflare accounts, as a dlt source.

The data's way, one module a step:

    configuration   settings: arguments, environment, dlt's configuration
    client          one request, tried again while that may help (quota: when it may be made)
    answers         what came of it: a result, or what went wrong
    listing         pages to a listing that is proven whole, or known not to be
    reader          every account's listing, several requests at a time
    rows            items to typed rows, or rejections (secrecy: what is dropped)
    stored          what the dataset holds
    comparison      a listing against what is stored: what to write, what to log
    inventory       all of that for one sync: rows by table
    schema          the tables and their columns
    source          the same as dlt resources
"""

from .client import Limits
from .errors import (
    AuthenticationError,
    CloudflareError,
    CloudflareOAuthError,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
    RequestFailedError,
)
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
