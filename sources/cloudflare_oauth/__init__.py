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
    ownership                 whose a table is
    errors, events            what can go wrong, and what may be shown meanwhile
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import events, resources
    from .configuration import (
        reading_configuration,
        resolve_settings,
        resolve_settings_without_dlt,
        unreadable_configuration,
    )
    from .dlt_schema import (
        StoredTables,
        create_tables,
        declared_schema,
        empty_schema,
        read_stored_tables,
    )
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
        PartialSyncError,
        RequestFailedError,
    )
    from .masking import masked
    from .ownership import check_ownership
    from .settings import Limits, SyncSettings, checked_account_ids, is_loopback
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
    "PartialSyncError",
    "RequestFailedError",
    "StoredTables",
    "SyncSettings",
    "check_ownership",
    "checked_account_ids",
    "cloudflare_oauth",
    "create_tables",
    "declared_schema",
    "empty_schema",
    "events",
    "inventory_source",
    "is_loopback",
    "masked",
    "read_stored_tables",
    "reading_configuration",
    "resolve_settings",
    "resolve_settings_without_dlt",
    "resources",
    "unreadable_configuration",
]

# Each is imported when it is first used: some need dlt, whose import takes half a second, and a reader
# process has to be ready long before.
_MODULES = {
    "configuration": (
        "reading_configuration",
        "resolve_settings",
        "resolve_settings_without_dlt",
        "unreadable_configuration",
    ),
    "dlt_schema": (
        "StoredTables",
        "create_tables",
        "declared_schema",
        "empty_schema",
        "read_stored_tables",
    ),
    "masking": ("masked",),
    "ownership": ("check_ownership",),
    "settings": ("Limits", "SyncSettings", "checked_account_ids", "is_loopback"),
    "source": ("cloudflare_oauth", "inventory_source"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("events", "resources"):
        return import_module(f".{name}", __name__)
    return getattr(import_module(f".{_MODULE_OF.get(name, 'errors')}", __name__), name)
