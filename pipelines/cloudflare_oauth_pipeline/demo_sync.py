"""The demo: the bundled API, and a sync from it."""

from cloudflare_oauth import events

from .destination import Target
from .errors import UsageError
from .summary import Summary
from .sync import sync


def run_demo(target: Target, *, observer: events.Observer, summary: Summary) -> None:
    """Sync from the bundled API into a DuckDB file.

    Raises:
        UsageError: the extra `demo` is not installed.
        SyncError: the file cannot be written.
    """
    try:
        from .demo import DEMO_TOKEN, DemoServer
        from .demo.population import demo_estate
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(
            f"the demo needs the package {error.name}: pip install 'cloudflare-oauth-clients[demo]'"
        ) from None
    with DemoServer(demo_estate()) as api:
        sync(target, api_token=DEMO_TOKEN, base_url=api.base_url, observer=observer, summary=summary)
