"""The demo: the bundled API, and a sync from it."""

from datetime import UTC, datetime, timedelta

from cloudflare_oauth import events

from .destination import Target
from .errors import UsageError
from .summary import Summary
from .sync import sync


def run_demo(target: Target, *, days: int = 0, observer: events.Observer) -> Summary:
    """Sync from the bundled API into a DuckDB file, and once more after each of so many days.

    The days pass in an instant, but the change log has them one after another, up to today.

    Returns:
        The summary of the last sync.

    Raises:
        UsageError: the extra `demo` is not installed.
        SyncError: the file cannot be written.
    """
    try:
        from .demo import DEMO_TOKEN, DemoServer
        from .demo.history import advance
        from .demo.population import demo_estate
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(
            f"the demo needs the package {error.name}: pip install 'cloudflare-oauth-clients[demo]'"
        ) from None
    today = datetime.now(UTC)
    with DemoServer(demo_estate()) as api:
        for day in range(days + 1):
            if day:
                advance(api.estate, day)
            summary = sync(
                target,
                api_token=DEMO_TOKEN,
                base_url=api.base_url,
                observer=observer,
                observed_at=today - timedelta(days=days - day),
            )
    return summary
