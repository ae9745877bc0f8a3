"""An Airflow DAG: the OAuth clients that several API tokens see, read side by side into one dataset.

Set `CLOUDFLARE_API_TOKEN_<NAME>` for each token, and what dlt needs to know of the destination.
"""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

import cloudflare_oauth_pipeline as cloudflare

PREFIX = "CLOUDFLARE_API_TOKEN_"
DESTINATION = os.environ.get("CLOUDFLARE_OAUTH_DESTINATION", "postgres")
DATASET = os.environ.get("CLOUDFLARE_OAUTH_DATASET", "cloudflare")


def settings_of(token: str) -> cloudflare.SyncSettings:
    """The credentials of a token, looked up where they are used, so that Airflow never stores them."""
    if not (api_token := os.environ[PREFIX + token.upper()].strip()):
        raise ValueError(f"{PREFIX}{token.upper()} is empty: set it to a token, or unset it")
    base_url = os.environ.get(f"CLOUDFLARE_BASE_URL_{token.upper()}")
    return cloudflare.SyncSettings(api_token=api_token, base_url=base_url)


@task
def discover() -> dict[str, Any]:
    """The accounts that each token sees; None for a token that cannot list them."""
    found = dict.fromkeys(name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX))
    for token in found:
        try:
            found[token] = [account.as_json() for account in cloudflare.list_accounts(settings_of(token))]
        except Exception as error:
            logging.error("Token %s cannot list its accounts: %s", token, error)
    return found


@task
def plan(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Divide the accounts among the tokens."""
    accounts = {token: map(cloudflare.Account.from_json, seen or ()) for token, seen in found.items()}
    number = int(os.environ.get("CLOUDFLARE_OAUTH_SHARDS", 0)) or None
    return [shard.as_json() for shard in cloudflare.plan_shards(accounts, number)]


@task(
    retries=2, retry_delay=timedelta(minutes=1), map_index_template="{{ task.op_kwargs['document']['name'] }}"
)
def sync_shard(document: dict[str, Any]) -> dict[str, Any]:
    """Sync one shard."""
    shard = cloudflare.Shard.from_json(document)
    target = cloudflare.Target(destination=DESTINATION, dataset=DATASET, pipeline_name=shard.name)
    return cloudflare.sync(target, shard.settings(settings_of(shard.token))).as_json()


@task(trigger_rule="all_done")
def report(found: dict[str, Any], shards: list[Any], results: Sequence[Any]) -> dict[str, Any]:
    """Add up the results; fail if a sync failed or a token was refused."""
    done = [cloudflare.Summary.from_json(result) for result in results]
    total = cloudflare.combine([*done, *[None] * (len(shards) - len(done))])
    refused = ", ".join(token for token, seen in found.items() if seen is None)
    if refused or total.exit_code == 1:
        raise RuntimeError(f"Sync {total.status}; tokens refused: {refused or 'none'}; {total.as_json()}")
    if total.exit_code or total.unread_accounts:
        logging.warning("Sync %s: %s", total.status, total.as_json())
    return total.as_json()


@dag(schedule="@hourly", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def oauth_clients() -> None:
    """The inventory and change history of Cloudflare OAuth clients."""
    shards = plan(found := discover())
    report(found, shards, sync_shard.expand(document=shards))


oauth_clients()
