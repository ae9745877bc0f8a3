"""Cloudflare's official SDK accepts the fake API as Cloudflare's."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from cloudflare import APITimeoutError, AuthenticationError, BaseModel, Cloudflare, InternalServerError

from cloudflare_oauth_pipeline.demo.organisation import demo_organisation
from cloudflare_oauth_pipeline.fake_api import (
    FAKE_EMAIL,
    FAKE_KEY,
    FAKE_TOKEN,
    FakeApi,
    Paging,
    faults,
)


@pytest.fixture
def demo() -> Iterator[FakeApi]:
    """The fake API with the demo's organisation."""
    with FakeApi(demo_organisation()) as api:
        yield api


@pytest.fixture
def cloudflare(demo: FakeApi) -> Iterator[Cloudflare]:
    """The SDK, without retries, connected to the fake API."""
    with Cloudflare(api_token=FAKE_TOKEN, base_url=demo.base_url, max_retries=0, timeout=5) as client:
        yield client


def documents(models: Iterable[BaseModel]) -> list[dict[str, Any]]:
    """Turn the SDK's models back into the JSON documents they were read from."""
    return [model.to_dict(mode="json") for model in models]


def test_the_sdk_lists_the_accounts_of_the_organisation(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """Every field of all 12 accounts arrives, over several pages, the last of which is empty."""
    assert documents(cloudflare.accounts.list()) == demo.organisation.accounts()
    demo.requests.clear()
    assert documents(cloudflare.accounts.list(per_page=5)) == demo.organisation.accounts()
    assert [request.query["page"] for request in demo.requests[1:]] == ["2", "3", "4"]


def test_the_sdk_gets_an_account(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """A single account is the same document as in the list."""
    for account in demo.organisation.accounts():
        assert cloudflare.accounts.get(account_id=account["id"]).to_dict(mode="json") == account


def test_the_sdk_lists_the_clients_of_every_account(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """Every field arrives if one response holds all clients: the SDK never requests a second page."""
    demo.behaviour.clients_paging = Paging.whole()

    for account_id in demo.organisation.account_ids():
        listed = documents(cloudflare.iam.oauth_clients.list(account_id=account_id))
        assert listed == demo.organisation.clients(account_id)


def test_the_sdk_stops_at_the_first_page_of_clients(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """With pages of 20, the SDK returns 20 of more than 100 clients."""
    account_id = demo.organisation.account_ids()[1]

    listed = documents(cloudflare.iam.oauth_clients.list(account_id=account_id))

    assert listed == demo.organisation.clients(account_id)[:20]
    assert len(demo.organisation.clients(account_id)) > 100


def test_the_sdk_lists_the_scopes(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """Every field of the catalogue arrives."""
    assert documents(cloudflare.iam.oauth_scopes.list()) == demo.organisation.scopes


def test_the_sdk_accepts_an_email_and_a_key(demo: FakeApi) -> None:
    """The SDK authenticates with the legacy pair of email and API key."""
    with Cloudflare(api_email=FAKE_EMAIL, api_key=FAKE_KEY, base_url=demo.base_url) as client:
        assert len(list(client.accounts.list())) == 12


def test_the_sdk_recognises_errors_as_cloudflares(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """Wrong credentials, a broken server and a missing response raise the SDK's own exceptions."""
    with (
        Cloudflare(api_token="wrong", base_url=demo.base_url) as client,
        pytest.raises(AuthenticationError) as refused,
    ):
        client.accounts.list()
    assert refused.value.errors[0].code == 10000

    demo.behaviour.fail_next(faults.html(502))
    with pytest.raises(InternalServerError):
        cloudflare.accounts.list()

    demo.behaviour.fail_next(faults.never())
    with pytest.raises(APITimeoutError):
        cloudflare.accounts.list(timeout=0.05)


def test_the_sdk_never_stops_with_an_account_owned_token(demo: FakeApi, cloudflare: Cloudflare) -> None:
    """The fake API reproduces Cloudflare's known bug: page after page of the same accounts."""
    demo.behaviour.accounts_paging = Paging.account_owned_token()

    pages = cloudflare.accounts.list().iter_pages()
    ids = [[account.id for account in next(pages).result] for _ in range(5)]

    assert ids == [demo.organisation.account_ids()] * 5
