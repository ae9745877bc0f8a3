"""Which accounts the credentials see, and whether they may read each account's OAuth clients."""

from dataclasses import asdict, dataclass

from cloudflare_oauth import CloudflareError, SyncSettings, events, resolve_settings, resources


@dataclass(frozen=True)
class Access:
    """Whether one account grants `OAuth Client Read`; if not, how Cloudflare refused."""

    account_id: str
    name: str | None
    granted: bool
    http_status: int | None = None
    error_code: int | None = None
    error_message: str | None = None

    def as_json(self) -> dict[str, object]:
        """The fields by name."""
        return asdict(self)


def check_access(settings: SyncSettings, *, observer: events.Observer = events.ignore) -> list[Access]:
    """Request one page of every account's clients; writes nothing.

    Source: `GET /accounts` (unless accounts are named), `GET /accounts/{account_id}/oauth_clients`.

    Raises:
        CloudflareOAuthError: the settings cannot be used, or the accounts cannot be listed.
    """
    settings = resolve_settings(settings)
    # Not at the top: the other commands never need the HTTP libraries.
    from cloudflare_oauth.reading import open_reader_thread

    with open_reader_thread(settings, observer) as reader:
        names: dict[str, str | None]
        if settings.account_ids is None:
            names = {row.key: row.columns.get("name") for row in reader.begin(resources.ACCOUNT, {})().rows}
        else:
            names = dict.fromkeys(settings.account_ids)
        wanted = [account_id for account_id in names if account_id not in settings.exclude_account_ids]
        readings = reader.first_pages(resources.OAUTH_CLIENT, wanted)
        outcomes = {reading.account_id: reading.outcome for reading in readings}

    def access(account_id: str) -> Access:
        outcome = outcomes[account_id]
        if isinstance(outcome, CloudflareError):
            return Access(
                account_id, names[account_id], False, outcome.http_status, outcome.code, str(outcome)
            )
        return Access(account_id, names[account_id], True)

    return [access(account_id) for account_id in wanted]
