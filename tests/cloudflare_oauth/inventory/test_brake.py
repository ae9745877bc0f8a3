"""The brake on deletions, measured on stored states that are built by hand."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudflare_oauth.inventory.brake import (
    newly_withheld,
    still_withheld,
    withheld_as_text,
    withheld_from_text,
)
from cloudflare_oauth.inventory.stored_state import StoredAccount, StoredClient


def stored(clients: int, **fields: Any) -> StoredAccount:
    return StoredAccount({str(number): StoredClient("hash") for number in range(clients)}, **fields)


def first(number: int) -> list[str]:
    return [str(one) for one in range(number)]


@pytest.mark.parametrize(
    ("fraction", "known"),
    [(0.1, 30), (0.7, 10), (0.1, 10), (0.29, 100), (0.57, 100), (0.55, 100), (1e-05, 100_000), (0.3, 10)],
)
def test_exactly_the_fraction_that_was_written_may_vanish(fraction: float, known: int) -> None:
    """A product of floats is off by a bit for some of these."""
    allowed = int(Fraction(str(fraction)) * known)

    assert newly_withheld(first(allowed), stored(known), fraction) == {}
    assert newly_withheld(first(allowed + 1), stored(known), fraction).keys() == set(first(allowed + 1))


@given(vanished=st.integers(0, 60), known=st.integers(10, 60), hundredths=st.integers(0, 100))
def test_any_fraction_is_compared_exactly(vanished: int, known: int, hundredths: int) -> None:
    """As whole numbers are: without rounding."""
    vanished = min(vanished, known)
    blocked = 100 * vanished > hundredths * known

    assert bool(newly_withheld(first(vanished), stored(known), hundredths / 100)) == blocked


@pytest.mark.parametrize(
    ("known", "last_listed", "vanished", "blocked"),
    [
        (12, 10, 6, True),  # Two clients came with a sync that proved nothing.
        (1000, 10, 6, True),
        (12, None, 6, False),
        (12, 12, 6, False),
        (12, 0, 1, False),  # The account had been too small to be guarded.
        (10, 12, 6, True),  # A killed sync has deleted two.
        (10, 12, 5, False),
    ],
)
def test_the_share_is_one_of_what_the_last_complete_reading_listed(
    known: int, last_listed: int | None, vanished: int, blocked: bool
) -> None:
    """Clients that were added since do not make room for deletions."""
    account = stored(known, last_listed=last_listed)

    assert bool(newly_withheld(first(vanished), account, 0.5)) == blocked


@pytest.mark.parametrize(
    ("known", "loaded", "vanished", "blocked"),
    [
        (12, 9, 9, False),  # A killed sync has added three to too few.
        (9, 9, 9, False),
        (12, 12, 7, True),
        (10, 12, 6, True),  # A killed sync has deleted two.
        (9, 12, 6, True),  # A killed sync has deleted three, and left too few.
        (19, 10, 6, True),  # A killed sync has added nine.
        (19, 10, 5, False),
    ],
)
def test_what_a_killed_sync_has_written_does_not_count(
    known: int, loaded: int, vanished: int, blocked: bool
) -> None:
    """Whether an account is guarded, and what share has vanished, is decided by what was there before."""
    account = stored(known, loaded=loaded, last_listed=loaded)

    assert bool(newly_withheld(first(vanished), account, 0.5)) == blocked


def test_everything_may_vanish_where_all_is_allowed() -> None:
    """Even more clients than the last complete reading listed."""
    account = stored(14, last_listed=10, withheld={"0": Fraction(1)})

    assert newly_withheld(first(14), account, 1) == still_withheld(first(14), account, 1) == {}


@pytest.mark.parametrize(
    ("fraction", "held"), [(0.3, True), (0.5, True), (0.599, True), (0.6, False), (1, False)]
)
def test_what_is_withheld_is_let_go_by_the_share_that_had_vanished(fraction: float, held: bool) -> None:
    """However many clients are known by now."""
    account = stored(100, withheld=dict.fromkeys(first(6), Fraction(6, 10)))

    assert bool(still_withheld(first(3), account, fraction)) == held
    assert newly_withheld(first(3), account, fraction) == {}


@pytest.mark.parametrize(("vanished", "blocked"), [(0, 0), (1, 0), (2, 0), (3, 3), (4, 4)])
def test_what_vanishes_later_is_measured_by_itself(vanished: int, blocked: int) -> None:
    """As a share of the four clients that are still there, however few they are."""
    account = stored(10, withheld={str(number): Fraction(6, 10) for number in range(4, 10)}, last_listed=4)

    gone = [*first(vanished), *map(str, range(4, 10))]

    assert newly_withheld(gone, account, 0.5).keys() == set(first(blocked))
    assert len(still_withheld(gone, account, 0.5)) == 6


def test_a_small_account_stays_guarded_while_something_is_withheld() -> None:
    """Nine known clients are not enough for a guard, but three of these may not vanish at once."""
    account = stored(9, withheld={str(number): Fraction(6, 10) for number in range(3, 9)}, last_listed=3)

    assert len(newly_withheld(first(9), account, 0.5)) == 3
    assert newly_withheld(first(3), account, 0.5) == {}, "the others are back"
    assert newly_withheld(first(9), account, 1) == {}


@given(st.dictionaries(st.text(), st.fractions(0, 1)))
def test_withheld_clients_are_remembered(withheld: dict[str, Fraction]) -> None:
    """As text, whatever is in the ids."""
    text = withheld_as_text(withheld)

    assert withheld_from_text(text) == withheld
    assert text is None or text.isascii()
