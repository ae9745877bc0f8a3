"""The order of the change log where clocks were ahead or ran backwards."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudflare_oauth_pipeline.analysis.change_order import Change, in_order

NOW = datetime(2026, 6, 30, tzinfo=UTC)
FUTURE = 2_000


def log(*days: int, client: str = "1") -> list[Change]:
    """The chain of a client's changes, observed on these days of June."""
    return [
        {
            "change_id": f"{client}-{place}",
            "previous_change_id": f"{client}-{place - 1}" if place else None,
            "account_id": "a",
            "client_id": client,
            "observed_at": datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day - 1),
        }
        for place, day in enumerate(days)
    ]


@pytest.mark.parametrize(
    ("days", "seen"),
    [
        ([1, 5, 9], [1, 5, 9]),
        ([5, 5, 5], [5, 5, 5]),
        ([1, FUTURE, 9], [1, 9, 9]),
        ([1, FUTURE], [1, 30]),
        ([FUTURE, FUTURE, 9, FUTURE], [9, 9, 9, 30]),
        ([8, 2, 9], [8, 8, 9]),
        ([8, 2, 3], [8, 8, 8]),
    ],
)
def test_a_clients_changes_are_in_the_order_of_their_chain(days: list[int], seen: list[int]) -> None:
    """Whatever the clocks said, and in whatever order the rows are read."""
    changes = log(*days)

    for rows in (changes, changes[::-1]):
        ordered = in_order(rows, NOW)
        assert [change for _, change in ordered] == changes
        assert [seen_at.day for seen_at, _ in ordered] == seen


def test_changes_of_several_clients_are_in_the_order_of_time() -> None:
    """Each at its time, as far as the chain allows."""
    ordered = in_order([*log(1, FUTURE, 9, client="1"), *log(5, 2, 20, client="2")], NOW)

    assert [change["change_id"] for _, change in ordered] == ["1-0", "2-0", "2-1", "1-1", "1-2", "2-2"]


def test_a_log_that_another_program_forked_or_cut_loses_no_row() -> None:
    """Two changes that follow the same one, and one whose predecessor is gone, are shown all the same."""
    changes = log(1, 2, 3, 4)
    changes[3]["previous_change_id"] = changes[1]["change_id"]

    assert {change["change_id"] for _, change in in_order(changes[1:], NOW)} == {"1-1", "1-2", "1-3"}
    assert in_order([], NOW) == []
