"""The example for Dagster, run by Dagster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cloudflare_oauth_pipeline

dg = pytest.importorskip("dagster")

from orchestration import dagster_definitions as example  # noqa: E402 - it needs Dagster

from tests.orchestration.killed_shard import MOMENTS, VARIABLE  # noqa: E402
from tests.orchestration.two_tokens import (  # noqa: E402
    TOKENS,
    A,
    B,
    C,
    D,
    TwoTokens,
    content_of_one_sync,
    without_account_syncs,
)
from tests.support.commands import TESTS_ON_PATH  # noqa: E402
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


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Any]:
    """A Dagster whose runs are in a folder."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance


def run_in_processes(instance: Any, *failed: str) -> tuple[bool, list[Any]]:
    """Run each op in a process of its own, or what failed of a run; returns success and the run's events."""
    command = [sys.executable, "-m", "tests.orchestration.run_dagster", instance.root_directory, *failed]
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | TESTS_ON_PATH,
    )
    runs = instance.get_runs(limit=1)
    assert runs, done.stdout
    entries = instance.all_logs(runs[0].run_id)
    return done.returncode == 0, [entry.dagster_event for entry in entries if entry.is_dagster_event]


def steps(events: list[Any], kind: str) -> list[str]:
    """The ops that had an event of this kind, in order, without the asset's name."""
    return [
        event.step_key.removeprefix("oauth_clients.")
        for event in events
        if event.event_type_value == f"STEP_{kind}"
    ]


@pytest.mark.parametrize(("shard", "stage", "nth"), MOMENTS)
def test_a_shard_killed_while_it_writes_is_tried_again(
    both: TwoTokens,
    server: Postgres,
    instance: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shard: str,
    stage: str,
    nth: int,
) -> None:
    """Dagster retries an op whose process died; the dataset is, row for row, what one sync writes."""
    monkeypatch.setenv(VARIABLE, f"{shard} {stage} {nth} 1 {tmp_path / 'attempts'}")

    success, events = run_in_processes(instance)

    assert success
    assert steps(events, "UP_FOR_RETRY") == steps(events, "RESTARTED") == [f"sync_shard[{shard}]"]
    assert any("SIGKILL" in (event.message or "") for event in events)
    whole = content_of_one_sync(server, tmp_path, monkeypatch)
    assert both.content() == without_account_syncs(whole)


def test_a_shard_killed_at_every_attempt_is_made_good_by_a_re_execution(
    both: TwoTokens, server: Postgres, instance: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, the other shards are loaded; what failed runs again, and the dataset is whole."""
    shard, stage, nth = MOMENTS[0]
    attempts = tmp_path / "attempts"
    every = 1 + example.RETRY.max_retries
    monkeypatch.setenv(VARIABLE, f"{shard} {stage} {nth} {every} {attempts}")

    success, events = run_in_processes(instance)

    assert not success
    assert len(set(attempts.read_text().split())) == every
    assert steps(events, "FAILURE") == [f"sync_shard[{shard}]"]
    assert both.accounts() == {A: 3, B: 3, C: 3}
    whole = without_account_syncs(content_of_one_sync(server, tmp_path, monkeypatch))
    assert both.content() != whole

    (failed,) = instance.get_runs()
    success, events = run_in_processes(instance, failed.run_id)

    assert success
    assert steps(events, "SUCCESS") == [f"sync_shard[{shard}]", "report"]
    assert both.content() == whole


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_token_fails_the_run_and_its_variable_is_named(
    both: TwoTokens, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], empty: str
) -> None:
    """No other token is used in its place; the other shards are loaded."""
    both.replace_token("emea", "ambient")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "ambient")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN_EMEA", empty)

    result = run()

    assert not result.success
    assert "tokens refused: emea" in messages(result)
    assert "CLOUDFLARE_API_TOKEN_EMEA is empty" in capfd.readouterr().err
    assert not both.apis["emea"].requests
    assert both.accounts() == {B: 3, C: 3, D: 3}


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
