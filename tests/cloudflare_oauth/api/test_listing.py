"""When a listing is complete, and how many requests the proof takes.

The letters stand for the ways in which the API may behave: it (a) honours `page` and `per_page`, (b) sends
everything in one response, (c) caps `per_page`, (d) ignores `page`, (e) sends no total count, (f) sends a
wrong one, or (g) changes between two pages.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cloudflare_oauth.api.listing import Listing
from cloudflare_oauth.errors import CloudflareError
from cloudflare_oauth_pipeline.fake_api import FakeApi, Organisation, Paging, ResultInfo, faults
from cloudflare_oauth_pipeline.fake_api.envelope import Response
from cloudflare_oauth_pipeline.fake_api.faults import Fault
from tests.support.client_settings import List


def _without_the_last(response: Response) -> Response:
    envelope = json.loads(response.body)
    envelope["result"].pop()
    envelope["result_info"]["total_count"] = len(envelope["result"])
    return replace(response, body=json.dumps(envelope).encode())


SHORTENED = Fault("one client less", lambda make_response: _without_the_last(make_response()))


def fill(organisation: Organisation, count: int, account: str = "a") -> list[str]:
    if account not in organisation.account_ids():
        organisation.add_account(account)
    return [organisation.add(account, client_id=f"{number:05}")["client_id"] for number in range(count)]


def ids(listing: Listing) -> list[str]:
    return [item["client_id"] for item in listing.items]


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 1), (1, 1), (19, 1), (20, 1), (21, 2), (40, 2), (41, 3), (1000, 50)]
)
def test_no_page_beyond_the_last_is_requested(
    api: FakeApi, list_clients: List, count: int, requests: int
) -> None:
    """(a), (c): a page has 20 clients, whatever `per_page` says; the total count tells which is the last."""
    api.behaviour.clients_paging = Paging.capped(20)
    expected = fill(api.organisation, count)

    listing = list_clients()

    assert (ids(listing), listing.problem) == (expected, None)
    assert len(api.requests) == requests


def test_the_largest_page_size_that_cloudflare_allows_is_requested(api: FakeApi, list_clients: List) -> None:
    """(a): a server that honours `per_page` up to 50 gets two requests for 100 clients."""
    expected = fill(api.organisation, 100)

    listing = list_clients()

    assert (ids(listing), listing.complete, len(api.requests)) == (expected, True, 2)


@pytest.mark.parametrize("count", [1, 50, 51, 3000])
def test_a_server_that_does_not_page_gets_one_request(api: FakeApi, list_clients: List, count: int) -> None:
    """(b): every client comes in one response, however many there are."""
    api.behaviour.clients_paging = Paging.whole()
    expected = fill(api.organisation, count)

    listing = list_clients()

    assert (ids(listing), listing.complete, len(api.requests)) == (expected, True, 1)


def test_a_server_that_repeats_its_first_page_makes_the_listing_incomplete(
    api: FakeApi, list_clients: List
) -> None:
    """(d): the second page brings nothing new; reading stops after two passes that agree."""
    api.behaviour.clients_paging = Paging.repeating_first(maximum=20)
    expected = fill(api.organisation, 2000)

    listing = list_clients()

    assert ids(listing) == expected[:20]
    assert listing.problem == "20 arrived, but the API says there are 2000"
    assert len(api.requests) <= 4


def test_a_first_page_that_holds_everything_is_enough(api: FakeApi, list_clients: List) -> None:
    """(d): whether the server would repeat the page does not matter if nothing is missing."""
    api.behaviour.clients_paging = Paging.repeating_first(maximum=20)
    fill(api.organisation, 20)

    assert list_clients().complete
    assert len(api.requests) == 1


@pytest.mark.parametrize("info", [ResultInfo.absent(), ResultInfo.null(), ResultInfo.only("page", "count")])
@pytest.mark.parametrize("count", [0, 1, 20, 41])
def test_without_a_count_two_passes_to_the_end_have_to_agree(
    api: FakeApi, list_clients: List, info: ResultInfo, count: int
) -> None:
    """(e): `result_info` is absent, null or lacks `total_count`; an empty first page needs one request."""
    api.behaviour.clients_paging = Paging.capped(20)
    api.behaviour.clients_result_info = info
    expected = fill(api.organisation, count)

    listing = list_clients()

    assert (ids(listing), listing.problem) == (expected, None)
    pages = -(-count // 20)
    assert len(api.requests) == (1 if count == 0 else 2 * (pages + 1))


def test_without_a_count_one_empty_response_does_not_prove_that_a_known_client_is_gone(
    api: FakeApi, list_clients: List
) -> None:
    """(e): an empty response without a count is requested again before it means that all clients are gone."""
    api.behaviour.clients_result_info = ResultInfo.absent()
    fill(api.organisation, 0)

    assert list_clients(known={"1"}).complete
    assert len(api.requests) == 2


@pytest.mark.parametrize("paging", [Paging.repeating_first(maximum=20), Paging.whole()])
def test_without_a_count_a_repeated_page_proves_nothing(
    api: FakeApi, list_clients: List, paging: Paging
) -> None:
    """(d) or (b), with (e): nothing tells whether that page holds every client."""
    api.behaviour.clients_paging = paging
    api.behaviour.clients_result_info = ResultInfo.absent()
    fill(api.organisation, 20)

    listing = list_clients()

    assert listing.problem == "the API repeats a page and does not say how many there are"
    assert len(api.requests) <= 4


@pytest.mark.parametrize("offset", [1, -1, 7, 1_000_000_000, -41])
def test_a_wrong_count_makes_the_listing_incomplete_after_a_second_pass(
    api: FakeApi, list_clients: List, offset: int
) -> None:
    """(f): the listing still holds every client that arrived, but is not proven complete."""
    api.behaviour.clients_paging = Paging.capped(20)
    api.behaviour.clients_result_info = ResultInfo.off_by(offset)
    expected = fill(api.organisation, 41)

    listing = list_clients(known=set(expected))

    assert ids(listing) == expected
    assert not listing.complete
    assert len(api.requests) <= 3 * 4


@pytest.mark.parametrize("total", ["41", -1, 41.0, True, None, [41]])
def test_a_count_that_is_not_an_integer_is_ignored(api: FakeApi, list_clients: List, total: object) -> None:
    """(f): text, a negative number, a float, a boolean, null and an array are treated as no count."""
    api.behaviour.clients_paging = Paging.capped(20)
    api.behaviour.clients_result_info = ResultInfo.saying(total_count=total)
    expected = fill(api.organisation, 41)

    listing = list_clients()

    assert (ids(listing), listing.complete) == (expected, True)
    assert len(api.requests) == 8


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("what", ["added", "removed"])
def test_a_listing_that_changes_while_it_is_read_is_read_again(
    api: FakeApi, list_clients: List, what: str, page: int
) -> None:
    """(g): a client is added or removed between two pages; the second pass is complete."""
    api.behaviour.clients_paging = Paging.capped(20)
    fill(api.organisation, 50)
    done: list[int] = []

    def change(account: str, number: int, organisation: Organisation) -> None:
        if number == page and not done:
            done.append(number)
            if what == "added":
                organisation.add(account, client_id="new")
            else:
                organisation.remove(account, "00000")

    api.behaviour.between = change
    listing = list_clients()

    assert ids(listing) == [client["client_id"] for client in api.organisation.clients("a")]
    assert listing.complete
    assert len(api.requests) <= 6


def test_a_listing_that_never_stops_changing_is_incomplete(api: FakeApi, list_clients: List) -> None:
    """(g): reading stops after three passes."""
    api.behaviour.clients_paging = Paging.capped(20)
    fill(api.organisation, 50)
    api.behaviour.between = lambda account, number, organisation: organisation.add(account)

    listing = list_clients()

    assert listing.problem
    assert len(api.requests) <= 9


def test_a_swap_between_two_pages_is_noticed(api: FakeApi, list_clients: List) -> None:
    """(g): one client removed and one added leave the count unchanged; a missing known client shows it."""
    api.behaviour.clients_paging = Paging.capped(20)
    expected = fill(api.organisation, 41)
    done: list[int] = []

    def swap(account: str, number: int, organisation: Organisation) -> None:
        if number == 2 and not done:
            done.append(number)
            organisation.remove(account, "00000")
            organisation.add(account, client_id="new")

    api.behaviour.between = swap
    listing = list_clients(known=set(expected))

    assert ids(listing) == [*expected[1:], "new"]
    assert listing.complete
    assert len(api.requests) <= 3 + 2 * 4


@pytest.mark.parametrize(
    ("paging", "left", "requests"),
    [
        (Paging.capped(20), 0, 2),
        (Paging.capped(20), 10, 3),
        (Paging.capped(20), 20, 3),
        (Paging.capped(20), 21, 5),
        (Paging.whole(), 0, 2),
        (Paging.whole(), 70, 3),
        (Paging.repeating_first(maximum=20), 10, 3),
        (Paging.repeating_last(maximum=20), 10, 3),
    ],
)
def test_a_deletion_needs_a_second_reading_that_agrees(
    api: FakeApi, list_clients: List, paging: Paging, left: int, requests: int
) -> None:
    """Also where the first answer is a single page that was not full, or an empty one that counts 0."""
    api.behaviour.clients_paging = paging
    expected = fill(api.organisation, left)

    listing = list_clients(known={*expected, "gone"})

    assert (ids(listing), listing.problem) == (expected, None)
    assert len(api.requests) == requests


@pytest.mark.parametrize("clients", [1, 10, 20, 41])
@pytest.mark.parametrize(
    "wrong", [faults.emptied(), faults.body('{"success": true, "result": []}'), SHORTENED], ids=repr
)
def test_a_single_wrong_answer_deletes_nothing(
    api: FakeApi, list_clients: List, wrong: faults.Fault, clients: int
) -> None:
    """The next answer has every client again, so that none is missing."""
    expected = fill(api.organisation, clients)
    api.behaviour.fail_next(wrong)

    listing = list_clients(known=set(expected))

    assert (ids(listing), listing.problem) == (expected, None)


@pytest.mark.parametrize("wrong", [faults.emptied(), SHORTENED], ids=repr)
def test_readings_that_do_not_agree_prove_nothing(
    api: FakeApi, list_clients: List, wrong: faults.Fault
) -> None:
    """A wrong answer, one with a client less than was known, and a wrong answer again."""
    expected = fill(api.organisation, 9)
    api.behaviour.fail_next(wrong)
    # The second reading has two pages, the last of them empty.
    api.behaviour.fail_next(wrong, after=2)

    listing = list_clients(known={*expected, "gone"})

    assert listing.problem in ("no two readings of it agree", "it changed while it was read")
    assert len(api.requests) <= 6


@pytest.mark.parametrize("gone", [1, 5, 100])
def test_the_catalogue_of_scopes_needs_a_second_response_before_a_scope_is_gone(
    api: FakeApi, list_scopes: List, gone: int
) -> None:
    """Nothing gone takes one request, a gone scope two; an answer that was wrong once deletes none."""
    everything = [scope["id"] for scope in api.organisation.scopes]
    assert (list_scopes(known=set(everything)).complete, len(api.requests)) == (True, 1)
    api.behaviour.fail_next(faults.emptied())
    assert [scope["id"] for scope in list_scopes(known=set(everything)).items] == everything
    assert len(api.requests) == 1 + 2
    del api.organisation.scopes[:gone]

    listing = list_scopes(known=set(everything))

    assert ([scope["id"] for scope in listing.items], listing.problem) == (everything[gone:], None)
    assert len(api.requests) == 1 + 2 + 2
    api.behaviour.fail_next(faults.emptied())
    api.behaviour.fail_next(faults.emptied(), after=1)
    assert list_scopes(known=set(everything)).problem == "no two readings of it agree"


def test_a_count_that_is_too_low_deletes_nothing(api: FakeApi, list_clients: List) -> None:
    """(f): the API reports 20 clients and has 41, 20 per page; the known rest is not reported missing."""
    api.behaviour.clients_paging = Paging.capped(20)
    api.behaviour.clients_result_info = ResultInfo.saying(total_count=20)
    expected = fill(api.organisation, 41)

    assert not list_clients(known=set(expected)).complete


def test_an_endless_listing_ends(api: FakeApi, list_clients: List, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 7: reading stops even if the server sends new clients for ever and no count."""
    monkeypatch.setattr("cloudflare_oauth.api.listing.MAX_PAGES", 30)
    api.behaviour.clients_paging = Paging.capped(20)
    api.behaviour.clients_result_info = ResultInfo.absent()
    fill(api.organisation, 20)
    api.behaviour.between = lambda account, number, organisation: [
        organisation.add(account) for _ in range(20)
    ]

    assert not list_clients().complete
    assert len(api.requests) <= 3 * 30


def test_an_item_without_an_id_counts_as_itself(api: FakeApi, list_clients: List) -> None:
    """A row that will be rejected still counts, so its listing does not look truncated."""
    fill(api.organisation, 2)
    api.organisation.put("a", {"visibility": "private"})
    api.organisation.put("a", "not even an object")

    listing = list_clients()

    assert (len(listing.items), listing.complete) == (4, True)


@pytest.mark.parametrize("result", [{"clients": []}, "none", 7, None, True, {}, ""])
def test_a_result_that_is_not_a_list_is_an_error(api: FakeApi, list_clients: List, result: object) -> None:
    """It is never treated as an empty listing; nor is null beside a count of 2."""
    fill(api.organisation, 2)
    api.behaviour.break_("a", faults.wrong_result(result))

    with pytest.raises(CloudflareError, match=r"account a: Cloudflare sent \w+ where a list belongs"):
        list_clients()


def successful(**fields: Any) -> Fault:
    answer = {"success": True, "errors": [], "messages": []} | fields
    return faults.body(json.dumps(answer), status=200, content_type="application/json")


@pytest.mark.parametrize("info", [None, {}, {"total_count": 0}, {"total_count": None}])
def test_null_is_an_empty_listing(api: FakeApi, list_clients: List, info: Any) -> None:
    """How some servers write it; like any empty answer, it deletes nothing before a second one agrees."""
    fill(api.organisation, 2)
    api.behaviour.break_("a", successful(result=None, result_info=info))

    listing = list_clients()
    assert (listing.items, listing.complete, len(api.requests)) == ([], True, 1)
    assert list_clients(known={"00000"}).complete
    assert len(api.requests) == 3


@pytest.mark.parametrize("fields", [{}, {"result_info": {"total_count": 0}}, {"results": []}])
def test_an_answer_without_a_result_is_no_empty_listing(
    api: FakeApi, list_clients: List, fields: dict[str, Any]
) -> None:
    """It may be a part of an answer, or that of something else."""
    fill(api.organisation, 0)
    api.behaviour.break_("a", successful(**fields))

    with pytest.raises(CloudflareError, match="account a: Cloudflare answered 200 without a result"):
        list_clients()


def test_accounts_are_read_page_by_page(api: FakeApi, list_clients: List) -> None:
    """An organisation may have thousands of accounts: 2,345 of them take 47 pages."""
    for number in range(2345):
        api.organisation.add_account(f"{number:032x}")

    listing = list_clients(path="/accounts", key="id")

    assert (len(listing.items), listing.complete, len(api.requests)) == (2345, True, 47)


def test_an_account_owned_token_gets_its_account_with_one_request(api: FakeApi, list_clients: List) -> None:
    """Cloudflare reports the wrong paging for such a token: every page is page 1 of 1."""
    api.behaviour.accounts_paging = Paging.account_owned_token()
    api.organisation.add_account("a")

    listing = list_clients(path="/accounts", key="id")

    assert (len(listing.items), listing.complete, len(api.requests)) == (1, True, 1)


pagings = st.sampled_from(
    [
        Paging.capped(3),
        Paging.capped(4),
        Paging.whole(),
        Paging.repeating_first(default=3, maximum=3),
        Paging.repeating_last(default=3, maximum=3),
    ]
)
infos = st.sampled_from(
    [ResultInfo(), ResultInfo.absent(), ResultInfo.null(), ResultInfo.only("total_count")]
    + [ResultInfo.off_by(offset) for offset in (-4, -3, -1, 1, 3)]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    paging=pagings,
    info=infos,
    count=st.integers(0, 13),
    changes=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["add", "remove", "swap"])), max_size=3),
)
def test_a_complete_listing_holds_every_known_client_that_was_there_throughout(
    api: FakeApi,
    list_clients: List,
    paging: Paging,
    info: ResultInfo,
    count: int,
    changes: list[tuple[int, str]],
) -> None:
    """Promise 2, for every paging, count and drift: a listing that lacks such a client is incomplete."""
    # A server that repeats one page and counts only that page looks exactly like one that has no more.
    added = sum(change == "add" for _, change in changes)
    counts = range(count + added + 1)
    hides_the_rest = any(number + info.total_count_offset == 3 < number for number in counts)
    assume(not (paging.ignores_page and hides_the_rest))
    api.behaviour.between = None
    if "a" in api.organisation.account_ids():
        api.organisation.remove_account("a")
    known = set(fill(api.organisation, count))
    api.behaviour.clients_paging, api.behaviour.clients_result_info = paging, info
    api.requests.clear()
    there_throughout = set(known)
    waiting = dict(changes)

    def drift(account: str, number: int, organisation: Organisation) -> None:
        change = waiting.pop(len(api.requests) + 1, None)
        clients = [client["client_id"] for client in organisation.clients(account)]
        if change in ("remove", "swap") and clients:
            organisation.remove(account, clients[0])
            there_throughout.discard(clients[0])
        if change in ("add", "swap"):
            organisation.add(account)

    api.behaviour.between = drift
    listing = list_clients(known=known)

    assert not listing.complete or set(ids(listing)) >= there_throughout
    assert len(api.requests) <= 3 * 8
