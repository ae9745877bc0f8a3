"""Inventory and change history of Cloudflare OAuth clients: the library, and the rooms behind it.

from cloudflare_oauth_pipeline import SyncSettings, Target, sync

summary = sync(Target(destination="postgres"), SyncSettings(api_token="…"))

cli/            the command line
run/            one sync, from the credentials to the summary
destinations/   an adapter for each destination; the one door to a dataset
analysis/       rules, views, findings, the change log
app/            the pages in the browser, and their export
demo/           the story that `cloudflare-oauth demo` plays
fake_api/       the stand-in for Cloudflare's API that the demo, the tests and the benchmarks use
"""

from typing import TYPE_CHECKING, Any

from cloudflare_oauth import SyncSettings

from .destinations.target import Target
from .run.summary import Summary

if TYPE_CHECKING:
    from .run.sync import sync

__all__ = ["Summary", "SyncSettings", "Target", "sync"]


def __getattr__(name: str) -> Any:
    if name != "sync":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not at the top: it imports dlt, which takes half a second and which `--help` does not need.
    from .run.sync import sync

    return sync
