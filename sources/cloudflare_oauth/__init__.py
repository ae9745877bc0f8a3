"""OAuth clients of Cloudflare accounts, as a dlt source.

The way of the data, room by room:

    settings, configuration   what a sync may be told, and where it is looked up
    resources                 what is listed, and how
    api/                      requests, rate limit, pages; a listing that is proven whole
    records/                  items become typed rows, or are rejected
    reading/                  all accounts' listings, several requests at a time
    inventory/                what is listed against what is stored: rows to write, changes to log
    destinations/             what each destination can hold
    dlt_schema, source        the same as dlt tables and dlt resources
    errors, events            what can go wrong, and what may be shown meanwhile
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import events, resources
from .configuration import resolve_settings, resolve_settings_without_dlt
from .errors import (
    AuthenticationError,
    BusyError,
    CloudflareError,
    CloudflareOAuthError,
    ConfigurationError,
    DestinationError,
    ForbiddenError,
    InterruptedSyncError,
    NotFoundError,
    RequestFailedError,
)
from .settings import Limits, SyncSettings, checked_account_ids, is_loopback

if TYPE_CHECKING:
    from .dlt_schema import create_tables, declared_schema
    from .source import cloudflare_oauth, inventory_source

__all__ = [
    "AuthenticationError",
    "BusyError",
    "CloudflareError",
    "CloudflareOAuthError",
    "ConfigurationError",
    "DestinationError",
    "ForbiddenError",
    "InterruptedSyncError",
    "Limits",
    "NotFoundError",
    "RequestFailedError",
    "SyncSettings",
    "checked_account_ids",
    "cloudflare_oauth",
    "create_tables",
    "declared_schema",
    "events",
    "inventory_source",
    "is_loopback",
    "resolve_settings",
    "resolve_settings_without_dlt",
    "resources",
]

# They need dlt, whose import takes half a second; a reader process does without.
_NEED_DLT = {
    "cloudflare_oauth": "source",
    "create_tables": "dlt_schema",
    "declared_schema": "dlt_schema",
    "inventory_source": "source",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_DLT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_NEED_DLT[name]}", __name__), name)
