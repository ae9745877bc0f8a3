"""Begins to read before dlt is imported, which takes as long as reading some thousand clients."""

from collections.abc import Sequence

from cloudflare_oauth import reader_process
from cloudflare_oauth.configuration import checked_account_ids, guess_connection
from cloudflare_oauth.reader import Settings

from .target import DEFAULT_DB, Target


def begin_to_read(
    target: Target,
    *,
    account_ids: Sequence[str] | None,
    exclude_account_ids: Sequence[str],
    concurrency: int,
    quota_share: float,
) -> None:
    """Let the process that reads begin, if nothing that only dlt knows can forbid it.

    Should dlt know better after all, `sync` lets it begin anew.

    Raises:
        CloudflareOAuthError, UsageError: what was given cannot be used.
    """
    if target.destination != "duckdb":
        # Whether another destination is configured, dlt has to say.
        return
    connection = guess_connection(account_ids=account_ids)
    if connection is None:
        return
    target.check_file(target.db or DEFAULT_DB)
    settings = Settings(
        base_url=connection.base_url,
        credentials=connection.credentials,
        concurrency=concurrency,
        quota_share=quota_share,
    )
    excluded = checked_account_ids(exclude_account_ids)
    reader_process.begin(settings, connection.account_ids, excluded)
