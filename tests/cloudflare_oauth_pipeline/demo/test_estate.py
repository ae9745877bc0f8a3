import pytest

from cloudflare_oauth_pipeline.demo import ABSENT, Estate, account_id


def test_an_account_id_is_made_of_a_number_or_a_name():
    """The same number or name always gives the same 32 hexadecimal characters, another one others."""
    ids = [account_id(1), account_id(2), account_id("a"), account_id("b")]

    assert ids == [account_id(1), account_id(2), account_id("a"), account_id("b")]
    assert len(set(ids)) == 4
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


def test_a_client_has_only_the_fields_it_was_given():
    """Only `client_id` and `visibility` have defaults."""
    estate = Estate()

    bare = estate.add("a")
    named = estate.add("a", client_id="1", visibility="public", client_name="n", scopes=None)

    assert set(bare) == {"client_id", "visibility"}
    assert bare["visibility"] == "private"
    assert named == {"client_id": "1", "visibility": "public", "client_name": "n", "scopes": None}
    assert estate.clients("a") == [bare, named]


def test_client_ids_are_unique_and_the_same_every_time():
    """Two estates filled alike are alike."""
    one, two = Estate(), Estate()
    ids = [[estate.add(account)["client_id"] for account in "aaab"] for estate in (one, two)]

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def test_adding_a_client_adds_its_account():
    """Accounts are in the order in which they came."""
    estate = Estate()
    estate.add("b")
    estate.add_account("c", "Third", type="enterprise")
    estate.add("a")
    estate.add("b")

    assert estate.account_ids() == ["b", "c", "a"]
    assert [account["id"] for account in estate.accounts()] == ["b", "c", "a"]
    assert estate.accounts()[1]["name"] == "Third"
    assert estate.accounts()[1]["type"] == "enterprise"
    assert estate.clients("c") == []


def test_an_account_cannot_be_added_twice():
    """It would be listed twice, and share its clients."""
    estate = Estate()
    estate.add_account("a")

    with pytest.raises(ValueError, match="already is an account a"):
        estate.add_account("a")


def test_a_change_sets_fields_and_takes_them_away():
    """`ABSENT` is no value: the field is no longer there."""
    estate = Estate()
    estate.add("a", client_id="1", client_name="n", logo_uri="l")
    estate.add("a", client_id="2")

    changed = estate.change("a", "1", client_name=None, tos_uri="t", logo_uri=ABSENT)

    assert changed == {"client_id": "1", "visibility": "private", "client_name": None, "tos_uri": "t"}
    assert estate.client("a", "1") == changed
    assert [client["client_id"] for client in estate.clients("a")] == ["1", "2"]


def test_an_account_can_be_changed():
    """Its clients stay."""
    estate = Estate()
    estate.add("a", client_id="1")

    changed = estate.change_account("a", name="New", settings=ABSENT)

    assert changed["name"] == "New"
    assert "settings" not in changed
    assert estate.accounts() == [changed]
    assert len(estate.clients("a")) == 1


def test_clients_and_accounts_can_be_removed():
    """An account takes its clients with it."""
    estate = Estate()
    for client_id in "123":
        estate.add("a", client_id=client_id)
    estate.add("b")

    estate.remove("a", "2")
    assert [client["client_id"] for client in estate.clients("a")] == ["1", "3"]

    estate.remove_account("a")
    assert estate.account_ids() == ["b"]
    assert [account["id"] for account in estate.accounts()] == ["b"]


def test_what_is_not_there_can_be_neither_changed_nor_removed():
    """A test that misspells an id is told."""
    estate = Estate()
    estate.add_account("a")

    for attempt in (
        lambda: estate.change("a", "1"),
        lambda: estate.remove("a", "1"),
        lambda: estate.client("a", "1"),
        lambda: estate.clients("b"),
        lambda: estate.remove_account("b"),
        lambda: estate.change_account("b"),
    ):
        with pytest.raises(KeyError):
            attempt()


def test_what_is_no_client_can_be_listed_too():
    """Rows that are null, a string, a list or without an id stay as they are, beside real clients."""
    estate = Estate()
    hostile = [None, "text", 7, ["list"], {}, {"client_id": None}, {"client_id": 1}]
    for item in hostile:
        estate.put("a", item)
    estate.add("a", client_id="1")

    assert estate.clients("a")[:-1] == hostile
    assert estate.client("a", "1")["client_id"] == "1"


def test_documents_are_copied_in_and_out():
    """Who holds on to a document cannot change the estate with it."""
    estate = Estate()
    uris = ["https://a.example/cb"]
    returned = estate.add("a", client_id="1", redirect_uris=uris)

    uris.append("x")
    returned["redirect_uris"].append("y")
    estate.clients("a")[0]["redirect_uris"].append("z")
    estate.accounts()[0]["settings"].clear()

    assert estate.client("a", "1")["redirect_uris"] == ["https://a.example/cb"]
    assert estate.accounts()[0]["settings"]


def test_what_is_being_read_is_not_changed():
    """A change replaces a document: a request that is being answered sees it as it was."""
    estate = Estate()
    estate.add("a", client_id="1", client_name="before")
    being_read = estate.served_clients("a")[0]

    estate.change("a", "1", client_name="after")

    assert being_read["client_name"] == "before"


def test_a_shuffle_keeps_every_client():
    """The same seed gives the same order."""
    orders = []
    for seed in (1, 1, 2):
        estate = Estate()
        for number in range(20):
            estate.add("a", client_id=str(number))
        estate.shuffle("a", seed)
        orders.append([client["client_id"] for client in estate.clients("a")])

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0], key=int) == [str(number) for number in range(20)]
