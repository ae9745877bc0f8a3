"""Inventory and change history of Cloudflare OAuth clients: the library, and the rooms behind it.

from cloudflare_oauth_pipeline import SyncSettings, Target, sync

summary = sync(Target(destination="postgres"), SyncSettings(api_token="…"))

Several syncs into one dataset, each with a token of its own: see `run.shards`.

cli/            the command line
run/            one sync, from the credentials to the summary
destinations/   an adapter for each destination; the one door to a dataset
analysis/       rules, views, findings, the change log
app/            the pages in the browser, and their export
demo/           the story that `cloudflare-oauth demo` plays
fake_api/       the stand-in for Cloudflare's API that the demo, the tests and the benchmarks use
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudflare_oauth import SyncSettings

    from .destinations.target import Target
    from .run.shards import Account, Shard, combine, list_accounts, plan_shards
    from .run.summary import Summary
    from .run.sync import sync

__all__ = [
    "Account",
    "Shard",
    "Summary",
    "SyncSettings",
    "Target",
    "combine",
    "list_accounts",
    "plan_shards",
    "sync",
]

# Each is imported when it is first used: `sync` needs dlt, whose import takes half a second.
_MODULE_OF = {
    "Account": ".run.shards",
    "Shard": ".run.shards",
    "Summary": ".run.summary",
    "SyncSettings": "cloudflare_oauth",
    "Target": ".destinations.target",
    "combine": ".run.shards",
    "list_accounts": ".run.shards",
    "plan_shards": ".run.shards",
    "sync": ".run.sync",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name], __name__), name)
