"""Which accounts the credentials see, and whether each lets its OAuth clients be read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cloudflare_oauth import CloudflareError, events
from cloudflare_oauth.configuration import checked_account_ids, resolve_connection
from cloudflare_oauth.reading.reader import Settings


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
        """The columns by name."""
        return asdict(self)


def check(
    *,
    account_ids: Sequence[str] | None = None,
    exclude_account_ids: Sequence[str] = (),
    concurrency: int,
    quota_share: float,
    observer: events.Observer = events.ignore,
) -> list[Access]:
    """Ask for one page of every account's clients; writes nothing.

    Source: `GET /accounts` (unless accounts are named), `GET /accounts/{account_id}/oauth_clients`.

    Raises:
        CloudflareOAuthError: the settings cannot be used, or the accounts cannot be listed.
    """
    connection = resolve_connection(account_ids=account_ids)
    excluded = set(checked_account_ids(exclude_account_ids))
    settings = Settings(connection=connection, concurrency=concurrency, quota_share=quota_share)
    # Imported late: the other commands do without the libraries that this takes.
    from cloudflare_oauth.reading.thread import open_reader_thread

    with open_reader_thread(settings, observer) as reader:
        names: dict[str, str | None]
        if connection.account_ids is None:
            names = {row.key: row.columns.get("name") for row in reader.accounts({}).rows}
        else:
            names = dict.fromkeys(connection.account_ids)
        wanted = [account_id for account_id in names if account_id not in excluded]
        answers = {reading.account_id: reading.outcome for reading in reader.first_pages(wanted)}

    def access(account_id: str) -> Access:
        outcome = answers[account_id]
        if isinstance(outcome, CloudflareError):
            return Access(
                account_id, names[account_id], False, outcome.http_status, outcome.code, str(outcome)
            )
        return Access(account_id, names[account_id], True)

    return [access(account_id) for account_id in wanted]
