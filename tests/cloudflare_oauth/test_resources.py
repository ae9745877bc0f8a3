"""The resources: where each is listed, what messages call it, what it requires, and where its items go."""

import pytest

from cloudflare_oauth.api.endpoint import Endpoint
from cloudflare_oauth.records import ARRAYS, TABLES
from cloudflare_oauth.resources import ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE, Resource

A = "a" * 32
RESOURCES = [ACCOUNT, OAUTH_CLIENT, OAUTH_SCOPE]


@pytest.mark.parametrize(
    ("resource", "endpoint"),
    [
        (
            ACCOUNT,
            Endpoint(
                path="/accounts",
                key="id",
                subject="the list of accounts",
                permission="Account Settings Read",
                otherwise="if they may not list accounts, name them (--account, CLOUDFLARE_ACCOUNT_ID)",
            ),
        ),
        (
            OAUTH_CLIENT,
            Endpoint(
                path=f"/accounts/{A}/oauth_clients",
                key="client_id",
                subject=f"account {A}",
                permission="OAuth Client Read",
            ),
        ),
        (
            OAUTH_SCOPE,
            Endpoint(path="/oauth/scopes", key="id", subject="the catalogue of scopes", permission=None),
        ),
    ],
)
def test_an_endpoint_has_its_path_key_subject_and_permission(resource: Resource, endpoint: Endpoint) -> None:
    """What a request and its messages need; the account's id stands in the path and the subject."""
    assert resource.endpoint(A) == endpoint


@pytest.mark.parametrize(
    ("account_id", "quoted"),
    [
        ("a/../b", "a%2F..%2Fb"),
        ("a?per_page=1", "a%3Fper_page%3D1"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("a%2Fb", "a%252Fb"),
        ("ä", "%C3%A4"),
        ("{account_id}", "%7Baccount_id%7D"),
        ("a\r\nb", "a%0D%0Ab"),
    ],
)
def test_an_account_id_is_quoted_in_the_path(account_id: str, quoted: str) -> None:
    """An id stays one segment of the path, whatever the API calls an account; messages show it as it is."""
    endpoint = OAUTH_CLIENT.endpoint(account_id)

    assert endpoint.path == f"/accounts/{quoted}/oauth_clients"
    assert endpoint.subject == f"account {account_id}"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.table)
def test_a_resources_table_is_declared(resource: Resource) -> None:
    """Its items go to a table that exists, and the types are those of the table's columns."""
    _, columns = TABLES[resource.table]

    declared = {column.name: column.data_type for column in columns}
    own_key = {"id": "text"} if resource is ACCOUNT else {}
    assert resource.row_type.types.items() <= (declared | own_key).items()
    assert resource.row_type.key in resource.row_type.types


def test_each_resource_has_a_table_of_its_own() -> None:
    """No two listings write the same table."""
    assert len({resource.table for resource in RESOURCES}) == len(RESOURCES)


def test_arrays_are_declared_with_their_resource() -> None:
    """The arrays that have child tables; an account has none."""
    assert OAUTH_CLIENT.row_type.arrays == set(ARRAYS)
    assert OAUTH_SCOPE.row_type.arrays == {"scopes"}
    assert ACCOUNT.row_type.arrays == set()


def test_only_the_catalogue_of_scopes_comes_in_one_response() -> None:
    """Everything else counts only if the listing is proven whole."""
    assert [resource for resource in RESOURCES if resource.in_one_response] == [OAUTH_SCOPE]
