"""Listings: pages, and what `result_info` says about them."""

from typing import Any

import httpx
import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, Organisation, Paging, ResultInfo

CLIENTS = "/accounts/a/oauth_clients"


@pytest.fixture(autouse=True)
def forty_five_clients(api: FakeApi) -> None:
    """Account `a` has the clients 0 to 44."""
    for number in range(45):
        api.organisation.add("a", client_id=str(number))


def ids(rows: list[dict[str, Any]]) -> list[str]:
    """The `client_id` of every row."""
    return [row["client_id"] for row in rows]


def numbers(start: int, stop: int) -> list[str]:
    """The client ids from `start` up to, but not including, `stop`."""
    return [str(number) for number in range(start, stop)]


def test_clients_are_paged_by_20(http: httpx.Client) -> None:
    """Without parameters, page 1 with 20 clients comes; `result_info` has the total."""
    response = http.get(CLIENTS).json()

    assert ids(response["result"]) == numbers(0, 20)
    assert response["result_info"] == {"page": 1, "per_page": 20, "count": 20, "total_count": 45}


def test_page_and_per_page_are_honoured(http: httpx.Client) -> None:
    """The pages together make the listing; pages past the end are empty."""
    pages = [http.get(CLIENTS, params={"page": page, "per_page": 30}).json() for page in (1, 2, 3)]

    assert [ids(page["result"]) for page in pages] == [numbers(0, 30), numbers(30, 45), []]
    assert [page["result_info"]["page"] for page in pages] == [1, 2, 3]
    assert [page["result_info"]["count"] for page in pages] == [30, 15, 0]


def test_more_than_50_a_page_is_silently_50(api: FakeApi, http: httpx.Client) -> None:
    """A larger `per_page` is capped at the maximum, which can be changed."""
    for number in range(45, 120):
        api.organisation.add("a", client_id=str(number))
    assert len(http.get(CLIENTS, params={"per_page": 100}).json()["result"]) == 50

    api.behaviour.clients_paging = Paging.honoured(default=70, maximum=100)
    assert len(http.get(CLIENTS).json()["result"]) == 70
    assert len(http.get(CLIENTS, params={"per_page": 1000}).json()["result"]) == 100


def test_more_than_the_maximum_can_be_rejected(api: FakeApi, http: httpx.Client) -> None:
    """`per_page` above the maximum is a 400 in the envelope; the maximum itself is accepted."""
    api.behaviour.clients_paging = Paging.strict(maximum=30)

    refused = http.get(CLIENTS, params={"per_page": 31})

    assert refused.status_code == 400
    assert refused.json()["success"] is False
    assert len(http.get(CLIENTS, params={"per_page": 30}).json()["result"]) == 30


def test_everything_can_come_in_one_response(api: FakeApi, http: httpx.Client) -> None:
    """All rows come for every requested page."""
    api.behaviour.clients_paging = Paging.whole()

    for params in ({}, {"page": 2, "per_page": 10}):
        response = http.get(CLIENTS, params=params).json()
        assert ids(response["result"]) == numbers(0, 45)
        assert response["result_info"] == {"page": 1, "per_page": 45, "count": 45, "total_count": 45}


def test_pages_can_be_capped(api: FakeApi, http: httpx.Client) -> None:
    """Pages never exceed the cap, whatever `per_page` requests."""
    api.behaviour.clients_paging = Paging.capped(7)

    assert ids(http.get(CLIENTS).json()["result"]) == numbers(0, 7)
    second = http.get(CLIENTS, params={"page": 2, "per_page": 50}).json()
    assert ids(second["result"]) == numbers(7, 14)
    assert second["result_info"]["per_page"] == 7


def test_the_first_page_can_come_for_ever(api: FakeApi, http: httpx.Client) -> None:
    """`page` is ignored, but `per_page` is honoured."""
    api.behaviour.clients_paging = Paging.repeating_first()

    for page in (1, 2, 3, 1000):
        response = http.get(CLIENTS, params={"page": page, "per_page": 10}).json()
        assert ids(response["result"]) == numbers(0, 10)
        assert response["result_info"] == {"page": 1, "per_page": 10, "count": 10, "total_count": 45}


def test_the_last_page_can_come_again_past_the_end(api: FakeApi, http: httpx.Client) -> None:
    """The last page repeats, so that no page is ever empty."""
    api.behaviour.clients_paging = Paging.repeating_last()

    for page in (3, 4, 99):
        response = http.get(CLIENTS, params={"page": page}).json()
        assert ids(response["result"]) == numbers(40, 45)


@pytest.mark.parametrize("params", [{"page": 0}, {"page": "x"}, {"per_page": 0}, {"per_page": "-1"}])
def test_an_invalid_page_is_rejected(api: FakeApi, http: httpx.Client, params: dict[str, object]) -> None:
    """An invalid `page` or `per_page` is a 400 for clients and accounts, even with a callback set."""
    api.behaviour.between = lambda account, page, organisation: None

    assert http.get(CLIENTS, params=params).status_code == 400
    assert http.get("/accounts", params=params).status_code == 400


def test_accounts_are_paged_independently(api: FakeApi, http: httpx.Client) -> None:
    """Accounts come up to 50 per page, with `total_pages`, whatever the paging of clients."""
    for number in range(54):
        api.organisation.add_account(f"more-{number}")
    api.behaviour.clients_paging = Paging.whole()

    pages = [http.get("/accounts", params={"page": page, "per_page": 100}).json() for page in (1, 2, 3)]

    assert [len(page["result"]) for page in pages] == [50, 5, 0]
    assert pages[1]["result_info"] == {
        "page": 2,
        "per_page": 50,
        "count": 5,
        "total_count": 55,
        "total_pages": 2,
    }
    assert [row["id"] for page in pages for row in page["result"]] == api.organisation.account_ids()


def test_accounts_repeat_for_an_account_owned_token(api: FakeApi, http: httpx.Client) -> None:
    """Page 1 of 1 comes for every request, as with Cloudflare's known bug."""
    for number in range(29):
        api.organisation.add_account(f"more-{number}")
    api.behaviour.accounts_paging = Paging.account_owned_token()

    first, second = (http.get("/accounts", params={"page": page}).json() for page in (1, 2))

    assert first == second
    assert len(first["result"]) == 20
    assert first["result_info"]["total_pages"] == 1
    assert first["result_info"]["total_count"] == 30


def test_accounts_can_be_filtered_by_name(api: FakeApi, http: httpx.Client) -> None:
    """The parameter `name` filters accounts, as with Cloudflare."""
    api.organisation.add_account("b", "Second")

    assert [row["id"] for row in http.get("/accounts", params={"name": "Second"}).json()["result"]] == ["b"]


@pytest.mark.parametrize(
    ("result_info", "expected"),
    [
        (ResultInfo.null(), None),
        (ResultInfo.only(), {}),
        (ResultInfo.only("total_count"), {"total_count": 45}),
        (ResultInfo.only("page", "per_page", "nonsense"), {"page": 1, "per_page": 20}),
        (ResultInfo.off_by(-5), {"page": 1, "per_page": 20, "count": 20, "total_count": 40}),
        (
            ResultInfo.saying(total_count=2000, page=None, cursor="c"),
            {"page": None, "per_page": 20, "count": 20, "total_count": 2000, "cursor": "c"},
        ),
    ],
)
def test_result_info_can_be_incomplete_or_wrong(
    api: FakeApi, http: httpx.Client, result_info: ResultInfo, expected: dict[str, object] | None
) -> None:
    """The rows are correct whatever `result_info` says."""
    api.behaviour.clients_result_info = result_info

    response = http.get(CLIENTS).json()

    assert response["result_info"] == expected
    assert ids(response["result"]) == numbers(0, 20)


def test_result_info_can_be_absent(api: FakeApi, http: httpx.Client) -> None:
    """The key is missing, for clients and accounts alike."""
    api.behaviour.clients_result_info = api.behaviour.accounts_result_info = ResultInfo.absent()

    assert "result_info" not in http.get(CLIENTS).json()
    assert "result_info" not in http.get("/accounts").json()


def test_accounts_can_have_a_wrong_result_info(api: FakeApi, http: httpx.Client) -> None:
    """All values for accounts can be wrong, including `total_pages`."""
    api.behaviour.accounts_result_info = ResultInfo.saying(total_pages=9, total_count=0)

    info = http.get("/accounts").json()["result_info"]

    assert (info["total_pages"], info["total_count"], info["count"]) == (9, 0, 1)


def test_result_info_can_be_wrong_for_one_account(api: FakeApi, http: httpx.Client) -> None:
    """`result_info_of` affects one account; the others report correct values."""
    api.organisation.add("b")
    api.behaviour.result_info_of["b"] = ResultInfo.off_by(+1)

    assert http.get(CLIENTS).json()["result_info"]["total_count"] == 45
    assert http.get("/accounts/b/oauth_clients").json()["result_info"]["total_count"] == 2


def test_clients_can_be_added_and_removed_between_pages(api: FakeApi, http: httpx.Client) -> None:
    """The callback gets account, page and organisation, and runs before the page is cut."""
    calls = []

    def between(account_id: str, page: int, organisation: Organisation) -> None:
        calls.append((account_id, page))
        if page == 2:
            organisation.remove("a", "0")
            organisation.add("a", client_id="new")

    api.behaviour.between = between
    pages = [http.get(CLIENTS, params={"page": page}).json() for page in (1, 2, 3)]

    assert calls == [("a", 1), ("a", 2), ("a", 3)]
    assert ids(pages[0]["result"]) == numbers(0, 20)
    assert ids(pages[1]["result"]) == numbers(21, 41), "20 has moved to the page that was read before"
    assert ids(pages[2]["result"]) == [*numbers(41, 45), "new"]


def test_clients_can_be_reordered_between_pages(api: FakeApi, http: httpx.Client) -> None:
    """The total stays the same, but some clients come twice and others not at all."""
    api.behaviour.between = lambda account_id, page, organisation: organisation.shuffle(account_id, page)

    pages = [http.get(CLIENTS, params={"page": page}).json() for page in (1, 2, 3)]

    seen = [client_id for page in pages for client_id in ids(page["result"])]
    assert len(seen) == 45
    assert len(set(seen)) < 45


def test_an_account_can_vanish_between_pages(api: FakeApi, http: httpx.Client) -> None:
    """The next page of a removed account is a 404."""

    def between(account_id: str, page: int, organisation: Organisation) -> None:
        if page == 2:
            organisation.remove_account(account_id)

    api.behaviour.between = between

    assert http.get(CLIENTS).status_code == 200
    assert http.get(CLIENTS, params={"page": 2}).status_code == 404
