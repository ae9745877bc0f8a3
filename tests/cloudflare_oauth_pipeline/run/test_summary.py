"""The summary of a sync: counted from its events, and judged by its exit code."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth import events
from cloudflare_oauth_pipeline.run.summary import CLIENT_COUNTS, ExitCode, Summary, Tally

STATUSES = ["complete", "incomplete", "forbidden", "not_found", "failed", "delete_blocked"]
ANSWERED = events.RequestDone(200, retry=False)
UNANSWERED = events.RequestDone(None, retry=False)
REFUSED = events.RequestDone(401, retry=False)
READ = events.AccountDone(account_id="a", status="complete")
NOT_READ = events.AccountDone(account_id="b", status="forbidden", error_message="refused")

counts = st.integers(0, 1000)
accounts_done = st.builds(
    events.AccountDone,
    account_id=st.uuids().map(str),
    status=st.sampled_from(STATUSES),
    **dict.fromkeys(CLIENT_COUNTS, counts),
)


def tally(*seen: events.Event) -> Tally:
    one = Tally(sync_id="sync")
    for event in seen:
        one.observe(event)
    return one


def summary(**changes: Any) -> Summary:
    plain = Summary(
        sync_id="sync",
        status="complete",
        accounts={"complete": 2, "forbidden": 1},
        clients=dict.fromkeys(CLIENT_COUNTS, 0),
        requests=5,
        retries=2,
        rate_limited=1,
        waited_seconds=0.12345,
        duration_seconds=1.98765,
    )
    return replace(plain, **changes)


@settings(max_examples=100, deadline=None)
@given(done=st.lists(accounts_done, max_size=8))
def test_accounts_and_clients_are_the_sums_of_the_events(done: list[events.AccountDone]) -> None:
    """Accounts by status, clients by what became of them."""
    found = tally(*done).summary()

    assert found.accounts == {
        status: number for status in STATUSES if (number := sum(event.status == status for event in done))
    }
    assert list(found.accounts) == sorted(found.accounts)
    assert found.clients == {name: sum(getattr(event, name) for event in done) for name in CLIENT_COUNTS}


def test_an_account_that_is_read_again_counts_once() -> None:
    """Its last outcome counts: another sync had overtaken the first reading."""
    again = replace(READ, status="failed", error_message="overtaken", listed=0)

    found = tally(ANSWERED, READ, again).summary()

    assert (found.status, found.accounts) == ("partial", {"failed": 1})
    assert set(found.clients.values()) == {0}


def test_requests_retries_and_rate_limited_responses_are_counted() -> None:
    """A retry is a request, too; rate limited is status 429 and nothing else."""
    found = tally(
        events.RequestDone(200, retry=False),
        events.RequestDone(429, retry=False),
        events.RequestDone(429, retry=True),
        events.RequestDone(None, retry=True),
        events.RequestDone(503, retry=False),
    ).summary()

    assert (found.requests, found.retries, found.rate_limited) == (5, 2, 2)


def test_waiting_adds_up() -> None:
    """In seconds, whatever the reason."""
    found = tally(events.Waiting(1.5, "quota"), events.Waiting(0.25, "429")).summary()

    assert found.waited_seconds == 1.75


def test_the_duration_is_measured() -> None:
    """From when the counting began to when the summary is made."""
    one = Tally(sync_id="sync")
    one.started -= 10

    assert 10 <= one.summary().duration_seconds < 60


def test_accounts_found_and_loaded_are_known_while_the_sync_runs() -> None:
    """A progress bar needs the total and the position, an interrupted sync what is loaded."""
    one = tally(events.AccountsFound(3), READ, NOT_READ)
    before = one.accounts_loaded
    one.mark_loaded()
    one.observe(replace(READ, account_id="another"))

    assert one.total_accounts == 3
    assert (before, one.accounts_loaded, one.accounts.total()) == (0, 2, 3)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ([], "complete"),
        ([ANSWERED, READ], "complete"),
        ([ANSWERED, READ, events.Warned("a scope is missing", partial=False)], "complete"),
        ([ANSWERED, READ, events.Warned("an account is missing", partial=True)], "partial"),
        (
            [
                ANSWERED,
                READ,
                events.Warned("an account is missing", partial=True),
                events.Warned("a scope is missing", partial=False),
            ],
            "partial",
        ),
        ([ANSWERED, READ, NOT_READ], "partial"),
        ([events.RequestDone(403, retry=False), NOT_READ], "partial"),
        ([ANSWERED, replace(READ, error_message="2 rows could not be loaded", rejected=2)], "partial"),
        ([ANSWERED, replace(READ, status="incomplete", error_message="it drifts")], "partial"),
        ([ANSWERED, replace(READ, status="delete_blocked", error_message="too many")], "partial"),
        ([UNANSWERED, NOT_READ], "failed"),
        ([REFUSED, NOT_READ], "failed"),
        ([REFUSED, UNANSWERED, NOT_READ, NOT_READ], "failed"),
        ([REFUSED, ANSWERED, NOT_READ], "partial"),
    ],
)
def test_the_status_follows_from_the_events(seen: list[events.Event], status: str) -> None:
    """Partial if anything could not be read; failed if besides no request had a usable answer."""
    found = tally(*seen).summary()

    assert found.status == status


def test_a_failed_sync_is_failed_whatever_was_read() -> None:
    """The error that ended it is not one of the events."""
    one = tally(ANSWERED, READ)
    one.failed = True

    assert (one.status, one.summary().exit_code) == ("failed", ExitCode.FAILED)


@pytest.mark.parametrize(("status", "exit_code"), [("complete", 0), ("failed", 1), ("partial", 3)])
def test_each_status_has_its_exit_code(status: str, exit_code: int) -> None:
    """The numbers that schedulers rely on."""
    assert summary(status=status).exit_code == exit_code


def test_the_exit_codes() -> None:
    """All of them, for scripts: wrong usage, findings and Ctrl-C have codes of their own."""
    assert {code.name: code.value for code in ExitCode} == {
        "COMPLETE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PARTIAL": 3,
        "FOUND": 4,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


def test_the_json_document_has_exactly_these_keys_in_this_order() -> None:
    """The document of `sync --format json`; seconds are rounded to milliseconds."""
    document = summary().as_json()

    assert list(document.items()) == [
        ("sync_id", "sync"),
        ("status", "complete"),
        ("accounts", {"complete": 2, "forbidden": 1}),
        ("clients", dict.fromkeys(CLIENT_COUNTS, 0)),
        ("requests", 5),
        ("retries", 2),
        ("rate_limited", 1),
        ("waited_seconds", 0.123),
        ("duration_seconds", 1.988),
    ]
    assert list(document["clients"]) == [
        "listed",
        "created",
        "updated",
        "deleted",
        "unchanged",
        "baseline",
        "rejected",
    ]
    assert json.loads(json.dumps(document)) == document


def test_a_sync_that_counted_nothing_has_every_client_count() -> None:
    """A zero is written, so that a script never misses a key; an account status without accounts is not."""
    document = Tally(sync_id="sync").summary().as_json()

    assert document["clients"] == dict.fromkeys(CLIENT_COUNTS, 0)
    assert document["accounts"] == {}


def test_a_summary_is_frozen() -> None:
    """A result cannot be changed after the fact."""
    with pytest.raises(FrozenInstanceError):
        summary().status = "failed"  # type: ignore[misc]


def test_a_summary_does_not_change_with_what_is_counted_later() -> None:
    """The counts are copied, and each JSON document is one of its own."""
    one = tally(READ)
    found = one.summary()
    one.observe(NOT_READ)
    found.as_json()["accounts"]["complete"] = 7

    assert found.accounts == {"complete": 1}
