"""The demo: syncs from the fake API, day after day."""

from datetime import UTC, datetime, timedelta

from cloudflare_oauth import ConfigurationError, SyncSettings, events

from ..destinations.target import Target
from ..run.summary import Summary

DEFAULT_DAYS = 21
# In so few days nothing goes wrong.
UNEVENTFUL_DAYS = 6
FORBIDDEN_ACCOUNT = "foxglove"
EMPTIED_ACCOUNT = "labs"


def run_demo(target: Target, *, days: int = DEFAULT_DAYS, observer: events.Observer) -> Summary:
    """Sync from the fake API into a DuckDB file, and once more after each of so many days.

    The days pass in an instant, but the change log shows them one after another, up to today. In a week or
    more, one account becomes forbidden three days before the end, and on the last day most clients of another
    are gone.

    Returns:
        The summary of the last sync.

    Raises:
        ConfigurationError: the extra `demo` is not installed, or the file was not made by a demo.
        DestinationError: the file cannot be written.
    """
    try:
        # It needs the extra `demo`.
        from ..fake_api import FAKE_TOKEN, FakeApi, account_id
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigurationError(
            f"the demo needs the package {error.name}: pip install 'cloudflare-oauth-clients[demo]'"
        ) from None
    # Not at the top: they need the extra `demo`, or dlt, whose import takes half a second.
    from ..run.sync import sync
    from .organisation import ACCOUNTS, demo_organisation
    from .ownership import check_made_by_demo
    from .timeline import advance

    if target.duckdb_file is not None:
        check_made_by_demo(target.duckdb_file, {account_id(account.key) for account in ACCOUNTS})
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
                SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url, observed_at=now),
                # Problems on the days before are in the dataset.
                observer=observer if day == days else events.ignore,
            )
    return summary
