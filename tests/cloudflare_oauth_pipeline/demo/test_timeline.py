"""A week in the demo's organisation, and the change log of it."""

import json
from datetime import timedelta

import pytest

from cloudflare_oauth_pipeline.demo.organisation import demo_organisation
from cloudflare_oauth_pipeline.demo.timeline import advance
from cloudflare_oauth_pipeline.fake_api import FakeApi
from tests.support.commands import Run, rows

LOG = "SELECT account_id, client_id, change, changed_fields FROM oauth_client_changes WHERE sync_id = ?"


def test_each_day_is_the_same_every_time() -> None:
    """Two organisations that live through the same days are equal."""
    one, other = demo_organisation(), demo_organisation()

    assert [advance(one, day) for day in range(1, 15)] == [advance(other, day) for day in range(1, 15)]
    assert all(one.clients(account) == other.clients(account) for account in one.account_ids())


@pytest.mark.scale
def test_the_change_log_of_a_week_matches_the_changes_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sync after each day logs that day's changes row for row, once, and nothing else."""
    with FakeApi(demo_organisation()) as api:
        monkeypatch.setenv("CLOUDFLARE_BASE_URL", api.base_url)
        listed = run("sync", "--format", "json").json["clients"]["listed"]
        assert rows("SELECT change, count(*) FROM oauth_client_changes GROUP BY 1") == [("baseline", listed)]

        for day in range(1, 8):
            made = [
                (one.account_id, one.client_id, one.change, list(one.changed_fields) or None)
                for one in advance(api.organisation, day)
            ]
            sync_id = run("sync", "--format", "json").json["sync_id"]

            logged = [(*row[:3], row[3] and json.loads(row[3])) for row in rows(LOG, sync_id)]
            assert sorted(logged) == sorted(made)
        run("sync")

    of_the_week = "SELECT count(*) FROM oauth_client_changes WHERE change <> 'baseline'"
    assert rows(of_the_week) == [(7 * 6 + 2,)]


def test_the_demo_shows_a_week(run: Run) -> None:
    """`demo --days 7` leaves a change log that spans seven days and one sync per day."""
    done = run("demo", "--days", "7")
    log = run("changes", "--db", "demo.duckdb", "--since", "6d", "--format", "json").json

    assert (done.exit_code, "partial" in done.stdout) == (0, True)
    assert {row["change"] for row in log} == {"created", "updated", "deleted"}
    assert len({row["observed_at"][:10] for row in log}) in (6, 7)
    of_each_day = "SELECT CAST(finished_at AS DATE), COUNT(*) FROM account_syncs GROUP BY 1 ORDER BY 1"
    days = rows(of_each_day, db="demo.duckdb")
    assert [count for _, count in days] == [12] * 8
    assert days[-1][0] - days[0][0] == timedelta(days=7)


@pytest.mark.scale
def test_the_demo_has_a_forbidden_account_and_withheld_deletions(run: Run) -> None:
    """A week ends with one of each, a shorter demo with neither; findings appear and disappear meanwhile."""
    run("demo", "--days", "7")
    status = "SELECT status, count(*) FROM account_health GROUP BY 1 ORDER BY 1"
    assert rows(status, db="demo.duckdb") == [("complete", 10), ("delete_blocked", 1), ("forbidden", 1)]

    run("demo", "--days", "1", "--db", "short.duckdb")
    assert rows(status, db="short.duckdb") == [("complete", 12)]

    findings = "SELECT rule_id, client_id, subject FROM oauth_client_findings"
    before, after = (set(rows(findings, db=db)) for db in ("short.duckdb", "demo.duckdb"))
    assert after - before
    assert before - after
