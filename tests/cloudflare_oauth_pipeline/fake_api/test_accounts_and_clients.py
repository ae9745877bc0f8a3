"""`Organisation`: accounts and clients that tests add, change and remove."""

import pytest

from cloudflare_oauth_pipeline.fake_api import ABSENT, Organisation, account_id


def test_an_account_id_is_derived_from_a_number_or_name() -> None:
    """Each number or name always gives the same 32 hexadecimal characters, unlike any other."""
    ids = [account_id(1), account_id(2), account_id("a"), account_id("b")]

    assert ids == [account_id(1), account_id(2), account_id("a"), account_id("b")]
    assert len(set(ids)) == 4
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


def test_a_client_has_only_the_fields_it_was_given() -> None:
    """Only `client_id` and `visibility` have defaults."""
    organisation = Organisation()

    bare = organisation.add("a")
    named = organisation.add("a", client_id="1", visibility="public", client_name="n", scopes=None)

    assert set(bare) == {"client_id", "visibility"}
    assert bare["visibility"] == "private"
    assert named == {"client_id": "1", "visibility": "public", "client_name": "n", "scopes": None}
    assert organisation.clients("a") == [bare, named]


def test_client_ids_are_unique_and_the_same_every_time() -> None:
    """Two organisations filled in the same way have the same client ids."""
    one, two = Organisation(), Organisation()
    ids = [[organisation.add(account)["client_id"] for account in "aaab"] for organisation in (one, two)]

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def test_adding_a_client_adds_its_account() -> None:
    """Adding a client creates a missing account; accounts keep the order in which they were added."""
    organisation = Organisation()
    organisation.add("b")
    organisation.add_account("c", "Third", type="enterprise")
    organisation.add("a")
    organisation.add("b")

    assert organisation.account_ids() == ["b", "c", "a"]
    assert [account["id"] for account in organisation.accounts()] == ["b", "c", "a"]
    assert organisation.accounts()[1]["name"] == "Third"
    assert organisation.accounts()[1]["type"] == "enterprise"
    assert organisation.clients("c") == []


def test_an_account_cannot_be_added_twice() -> None:
    """A second account with the same id would be listed twice and share its clients, so it is an error."""
    organisation = Organisation()
    organisation.add_account("a")

    with pytest.raises(ValueError, match="already is an account a"):
        organisation.add_account("a")


def test_a_change_sets_and_removes_fields() -> None:
    """`ABSENT` removes a field, whereas None is a value."""
    organisation = Organisation()
    organisation.add("a", client_id="1", client_name="n", logo_uri="l")
    organisation.add("a", client_id="2")

    changed = organisation.change("a", "1", client_name=None, tos_uri="t", logo_uri=ABSENT)

    assert changed == {"client_id": "1", "visibility": "private", "client_name": None, "tos_uri": "t"}
    assert organisation.client("a", "1") == changed
    assert [client["client_id"] for client in organisation.clients("a")] == ["1", "2"]


def test_an_account_can_be_changed() -> None:
    """Changing an account keeps its clients."""
    organisation = Organisation()
    organisation.add("a", client_id="1")

    changed = organisation.change_account("a", name="New", settings=ABSENT)

    assert changed["name"] == "New"
    assert "settings" not in changed
    assert organisation.accounts() == [changed]
    assert len(organisation.clients("a")) == 1


def test_clients_and_accounts_can_be_removed() -> None:
    """Removing an account also removes its clients."""
    organisation = Organisation()
    for client_id in "123":
        organisation.add("a", client_id=client_id)
    organisation.add("b")

    organisation.remove("a", "2")
    assert [client["client_id"] for client in organisation.clients("a")] == ["1", "3"]

    organisation.remove_account("a")
    assert organisation.account_ids() == ["b"]
    assert [account["id"] for account in organisation.accounts()] == ["b"]


def test_what_does_not_exist_can_be_neither_changed_nor_removed() -> None:
    """A misspelt id raises `KeyError`, so that a test cannot pass by accident."""
    organisation = Organisation()
    organisation.add_account("a")

    for attempt in (
        lambda: organisation.change("a", "1"),
        lambda: organisation.remove("a", "1"),
        lambda: organisation.client("a", "1"),
        lambda: organisation.clients("b"),
        lambda: organisation.remove_account("b"),
        lambda: organisation.change_account("b"),
    ):
        with pytest.raises(KeyError):
            attempt()


def test_items_that_are_no_clients_can_be_listed() -> None:
    """Rows that are null, a string, a list or without an id are listed unchanged beside real clients."""
    organisation = Organisation()
    hostile = [None, "text", 7, ["list"], {}, {"client_id": None}, {"client_id": 1}]
    for item in hostile:
        organisation.put("a", item)
    organisation.add("a", client_id="1")

    assert organisation.clients("a")[:-1] == hostile
    assert organisation.client("a", "1")["client_id"] == "1"


def test_documents_are_copied_in_and_out() -> None:
    """Modifying a document that was passed in or returned does not change the organisation."""
    organisation = Organisation()
    uris = ["https://a.example/cb"]
    returned = organisation.add("a", client_id="1", redirect_uris=uris)

    uris.append("x")
    returned["redirect_uris"].append("y")
    organisation.clients("a")[0]["redirect_uris"].append("z")
    organisation.accounts()[0]["settings"].clear()

    assert organisation.client("a", "1")["redirect_uris"] == ["https://a.example/cb"]
    assert organisation.accounts()[0]["settings"]


def test_a_document_in_use_is_not_modified() -> None:
    """A change replaces a document, so that a request in progress still sees the old one."""
    organisation = Organisation()
    organisation.add("a", client_id="1", client_name="before")
    being_read = organisation.served_clients("a")[0]

    organisation.change("a", "1", client_name="after")

    assert being_read["client_name"] == "before"


def test_a_shuffle_keeps_every_client() -> None:
    """A shuffle loses no client, and the same seed gives the same order."""
    orders = []
    for seed in (1, 1, 2):
        organisation = Organisation()
        for number in range(20):
            organisation.add("a", client_id=str(number))
        organisation.shuffle("a", seed)
        orders.append([client["client_id"] for client in organisation.clients("a")])

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0], key=int) == [str(number) for number in range(20)]
