from collections.abc import Iterator

import pytest
from cloudflare import APITimeoutError, AuthenticationError, Cloudflare, InternalServerError

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
    with FakeApi(demo_organisation()) as api:
        yield api


@pytest.fixture
def cloudflare(demo: FakeApi) -> Iterator[Cloudflare]:
    with Cloudflare(api_token=FAKE_TOKEN, base_url=demo.base_url, max_retries=0, timeout=5) as client:
        yield client


def documents(models):
    return [model.to_dict(mode="json") for model in models]


def test_the_sdk_lists_the_accounts_of_the_estate(demo, cloudflare):
    """Every field of all 12, over several pages, until an empty one."""
    assert documents(cloudflare.accounts.list()) == demo.organisation.accounts()
    demo.requests.clear()
    assert documents(cloudflare.accounts.list(per_page=5)) == demo.organisation.accounts()
    assert [request.query["page"] for request in demo.requests[1:]] == ["2", "3", "4"]


def test_the_sdk_gets_an_account(demo, cloudflare):
    """The same document as in the list."""
    for account in demo.organisation.accounts():
        assert cloudflare.accounts.get(account_id=account["id"]).to_dict(mode="json") == account


def test_the_sdk_lists_the_clients_of_every_account(demo, cloudflare):
    """Every field of all of them, if they come in one answer: the SDK never asks for a second page."""
    demo.behaviour.clients_paging = Paging.whole()

    for account_id in demo.organisation.account_ids():
        listed = documents(cloudflare.iam.oauth_clients.list(account_id=account_id))
        assert listed == demo.organisation.clients(account_id)


def test_the_sdk_stops_at_the_first_page_of_clients(demo, cloudflare):
    """With pages of 20 it sees 20 of more than 100."""
    account_id = demo.organisation.account_ids()[1]

    listed = documents(cloudflare.iam.oauth_clients.list(account_id=account_id))

    assert listed == demo.organisation.clients(account_id)[:20]
    assert len(demo.organisation.clients(account_id)) > 100


def test_the_sdk_lists_the_scopes(demo, cloudflare):
    """Every field of the catalogue."""
    assert documents(cloudflare.iam.oauth_scopes.list()) == demo.organisation.scopes


def test_the_sdk_accepts_an_email_and_a_key(demo):
    """The legacy pair."""
    with Cloudflare(api_email=FAKE_EMAIL, api_key=FAKE_KEY, base_url=demo.base_url) as client:
        assert len(list(client.accounts.list())) == 12


def test_the_sdk_knows_our_errors_for_cloudflares(demo, cloudflare):
    """Wrong credentials, a broken server, silence."""
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


def test_the_sdk_runs_for_ever_with_a_token_that_an_account_owns(demo, cloudflare):
    """Cloudflare's known bug is ours too: page after page of the same accounts."""
    demo.behaviour.accounts_paging = Paging.account_owned_token()

    pages = cloudflare.accounts.list().iter_pages()
    ids = [[account.id for account in next(pages).result] for _ in range(5)]

    assert ids == [demo.organisation.account_ids()] * 5
