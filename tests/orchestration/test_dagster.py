"""The example for Dagster, run by Dagster."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cloudflare_oauth_pipeline

dg = pytest.importorskip("dagster")

from orchestration import dagster_definitions as example  # noqa: E402 - it needs Dagster

from tests.orchestration.two_tokens import TOKENS, A, B, C, D, TwoTokens, content_of_one_sync  # noqa: E402
from tests.support.warehouses import Postgres  # noqa: E402


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between attempts are for production."""
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


def run() -> Any:
    """Materialise the asset once, in this process; errors become the result's."""
    return dg.materialize([example.oauth_clients], raise_on_error=False)


def messages(result: Any) -> str:
    """Every event as text, errors, outputs and metadata included."""
    return "\n".join(map(str, result.all_events))


def test_both_tokens_together_write_what_one_sync_writes(
    both: TwoTokens, server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row for row; the counts are the asset's metadata; no event holds a token."""
    result = run()

    assert result.success
    (materialised,) = result.asset_materializations_for_node("oauth_clients.report")
    metadata = {name: value.value for name, value in materialised.metadata.items()}
    assert (metadata["status"], metadata["created"] + metadata["baseline"]) == ("complete", 12)
    assert both.warehouse.content() == content_of_one_sync(server, tmp_path, monkeypatch)
    for token in TOKENS.values():
        assert token not in messages(result)


def test_a_refused_token_fails_the_run_and_is_named(both: TwoTokens) -> None:
    """The other token's accounts are loaded; the accounts that only the refused one sees keep their rows."""
    assert run().success
    both.apis["apac"].organisation.add(D, client_id="unseen")
    both.apis["emea"].organisation.add(A, client_id="new")
    both.revoke("apac")

    result = run()

    assert not result.success
    assert "tokens refused: apac" in messages(result)
    assert both.accounts() == {A: 4, B: 3, C: 3, D: 3}


def test_a_shard_that_fails_does_not_stop_the_others(
    both: TwoTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and fails the run in the end."""
    attempts: list[str] = []

    def sync(target: Any, settings: Any) -> Any:
        if target.pipeline_name == "emea_1":
            attempts.append(target.pipeline_name)
            raise OSError("no room")
        return sync_of_library(target, settings)

    sync_of_library = cloudflare_oauth_pipeline.sync
    monkeypatch.setattr(cloudflare_oauth_pipeline, "sync", sync, raising=False)

    result = run()

    assert not result.success
    assert len(attempts) == 1 + example.RETRY.max_retries
    assert "Sync failed" in messages(result)
    assert A not in both.accounts() and D in both.accounts()


def test_a_run_is_asked_for_every_hour() -> None:
    """The schedule belongs to the definitions that Dagster loads."""
    (schedule,) = example.definitions.schedules or ()
    context = dg.build_schedule_context(
        repository_def=example.definitions.get_repository_def(),
        scheduled_execution_time=datetime(2026, 1, 1, 1, tzinfo=UTC),
    )

    (requested,) = schedule.evaluate_tick(context).run_requests or ()

    assert schedule.cron_schedule == "@hourly"
    assert requested.run_key is None
