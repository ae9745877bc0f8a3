"""A Dagster asset: the OAuth clients that several API tokens see, read side by side into one dataset.

Set `CLOUDFLARE_API_TOKEN_<NAME>` for each token, and what dlt needs to know. Runs may overlap.
"""

import os

import dagster as dg

import cloudflare_oauth_pipeline as cloudflare

PREFIX = "CLOUDFLARE_API_TOKEN_"
DESTINATION = os.environ.get("CLOUDFLARE_OAUTH_DESTINATION", "postgres")
DATASET = os.environ.get("CLOUDFLARE_OAUTH_DATASET", "cloudflare")
RETRY = dg.RetryPolicy(max_retries=2, delay=60)


def settings_of(token: str) -> cloudflare.SyncSettings:
    """The credentials of a token, looked up where they are used, so that Dagster never stores them."""
    if not (api_token := os.environ[PREFIX + token.upper()].strip()):
        raise ValueError(f"{PREFIX}{token.upper()} is empty: set it to a token, or unset it")
    base_url = os.environ.get(f"CLOUDFLARE_BASE_URL_{token.upper()}")
    return cloudflare.SyncSettings(api_token=api_token, base_url=base_url)


@dg.op
def discover(context: dg.OpExecutionContext) -> dict[str, object]:
    """The accounts that each token sees; None for a token that cannot list them."""
    found = dict.fromkeys(name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX))
    for token in found:
        try:
            found[token] = [account.as_json() for account in cloudflare.list_accounts(settings_of(token))]
        except Exception as error:
            context.log.error(f"Token {token} cannot list its accounts: {error}")
    return found


@dg.op(out=dg.DynamicOut(dict))
def plan(found: dict[str, object]) -> object:
    """Divide the accounts among the tokens."""
    accounts = {token: map(cloudflare.Account.from_json, seen or ()) for token, seen in found.items()}
    for shard in cloudflare.plan_shards(accounts, int(os.environ.get("CLOUDFLARE_OAUTH_SHARDS", 0)) or None):
        yield dg.DynamicOutput(shard.as_json(), mapping_key=shard.name)


@dg.op(retry_policy=RETRY)
def sync_shard(context: dg.OpExecutionContext, document: dict[str, object]) -> object:
    """Sync one shard; None if the last attempt fails, because after a failed op `report` would not run."""
    shard = cloudflare.Shard.from_json(document)
    target = cloudflare.Target(destination=DESTINATION, dataset=DATASET, pipeline_name=shard.name)
    try:
        return cloudflare.sync(target, shard.settings(settings_of(shard.token))).as_json()
    except Exception as error:
        if context.retry_number < RETRY.max_retries:
            raise
        context.log.error(f"Shard {shard.name} failed: {error}")


@dg.op
def report(context: dg.OpExecutionContext, found: dict[str, object], results: list[object]) -> None:
    """Add up the results; fail if a sync failed or a token was refused."""
    total = cloudflare.combine(result and cloudflare.Summary.from_json(result) for result in results)
    metadata = {**total.as_json(), **total.clients}
    refused = ", ".join(token for token, seen in found.items() if seen is None)
    if refused or total.exit_code == 1:
        raise dg.Failure(f"Sync {total.status}; tokens refused: {refused or 'none'}", metadata)
    if total.exit_code or total.unread_accounts:
        context.log.warning(f"Sync {total.status}: {metadata}")
    context.add_output_metadata(metadata)


@dg.graph_asset
def oauth_clients() -> object:
    """The inventory and change history of Cloudflare OAuth clients."""
    return report(found := discover(), plan(found).map(sync_shard).collect())


hourly = dg.ScheduleDefinition("hourly", target=[oauth_clients], cron_schedule="@hourly")
definitions = dg.Definitions(assets=[oauth_clients], schedules=[hourly])
