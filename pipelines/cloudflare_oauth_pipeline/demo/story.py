"""The demo: the bundled API, and a sync from it."""

from datetime import UTC, datetime, timedelta

from cloudflare_oauth import events

from ..destinations.target import Target
from ..errors import UsageError
from ..run.summary import Summary

DEFAULT_DAYS = 21
# So few days are too short for anything to go wrong.
UNEVENTFUL_DAYS = 6
FORBIDDEN_ACCOUNT = "foxglove"
EMPTIED_ACCOUNT = "labs"


def run_demo(target: Target, *, days: int = DEFAULT_DAYS, observer: events.Observer) -> Summary:
    """Sync from the bundled API into a DuckDB file, and once more after each of so many days.

    The days pass in an instant, but the change log has them one after another, up to today. If they are
    a week or more, one account can no longer be read three days before the end, and on the last day most
    clients of another are gone.

    Returns:
        The summary of the last sync.

    Raises:
        UsageError: the extra `demo` is not installed.
        SyncError: the file cannot be written.
    """
    try:
        from ..fake_api import FAKE_TOKEN, FakeApi, account_id
        from .organisation import demo_organisation
        from .timeline import advance
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(
            f"the demo needs the package {error.name}: pip install 'cloudflare-oauth-clients[demo]'"
        ) from None
    from ..run.sync import sync

    today = datetime.now(UTC)
    with FakeApi(demo_organisation()) as api:
        for day in range(days + 1):
            now = today - timedelta(days=days - day)
            if day:
                advance(api.organisation, day, now)
            if days > UNEVENTFUL_DAYS and day == days - 3:
                api.behaviour.forbid(account_id(FORBIDDEN_ACCOUNT))
            if days > UNEVENTFUL_DAYS and day == days:
                emptied = account_id(EMPTIED_ACCOUNT)
                for client in api.organisation.clients(emptied)[3:]:
                    api.organisation.remove(emptied, client["client_id"])
            summary = sync(
                target,
                api_token=FAKE_TOKEN,
                base_url=api.base_url,
                # What went wrong on the way there is in the dataset.
                observer=observer if day == days else events.ignore,
                observed_at=now,
            )
    return summary
