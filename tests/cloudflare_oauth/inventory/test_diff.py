"""The comparison of one account's listing with its stored state: rows to write and rows to log."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflare_oauth.inventory.diff import AccountDiff, diff_account
from cloudflare_oauth.inventory.stored_state import UNSURE, LoggedChange, StoredAccount, StoredClient
from cloudflare_oauth.records import DELETED, DERIVED_VERSION, Row
from cloudflare_oauth.resources import OAUTH_CLIENT

ACCOUNT = "a" * 32
NOW = datetime(2026, 6, 3, tzinfo=UTC)

Listing = dict[str, dict[str, Any]]


def row(client_id: str, **fields: Any) -> Row:
    """The row of a client as the reader makes it."""
    checked = OAUTH_CLIENT.row_type.check({"client_id": client_id, **fields})
    assert isinstance(checked, Row)
    return checked


@dataclass
class Dataset:
    """What one account's diffs have written: the clients by id, and the change log, oldest first."""

    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    baselined: bool = False

    def stored(self) -> StoredAccount:
        """The stored state, as it would be read back."""
        return StoredAccount(
            clients={
                client_id: StoredClient(one["content_hash"], one["change_id"])
                for client_id, one in self.clients.items()
            },
            last_changes={
                one["client_id"]: LoggedChange(one["change_id"], one["content_hash"]) for one in self.log
            },
            baselined=self.baselined,
        )

    def documents_after(self, change_ids: Collection[str]) -> Listing:
        documents = {one["change_id"]: one["document_after"] for one in self.log}
        return {change_id: json.loads(documents[change_id]) for change_id in change_ids}

    def observed_before(self, _account_id: str) -> dict[str, datetime]:
        return {client_id: one["observed_at"] for client_id, one in self.clients.items()}

    def diff(self, listing: Listing, **arguments: Any) -> AccountDiff:
        """The diff to a listing, which is proven whole unless the arguments say otherwise."""
        return diff_account(
            ACCOUNT,
            [row(client_id, **fields) for client_id, fields in listing.items()],
            self.stored(),
            self.documents_after,
            self.observed_before,
            **{
                "may_delete": True,
                "max_delete_fraction": 1.0,
                "sync_id": "sync",
                "observed_at": NOW,
                **arguments,
            },
        )

    def write_clients(self, diff: AccountDiff) -> None:
        for one in diff.clients:
            if one.get(DELETED):
                del self.clients[one["client_id"]]
            else:
                self.clients[one["client_id"]] = one

    def write_log(self, diff: AccountDiff) -> None:
        self.log.extend(diff.changes)

    def take(self, listing: Listing, **arguments: Any) -> AccountDiff:
        """Compare with a listing and write everything, as a sync that is not killed."""
        diff = self.diff(listing, **arguments)
        self.write_clients(diff)
        self.write_log(diff)
        self.baselined = True
        return diff

    def hashes(self) -> dict[str, str]:
        return {client_id: one["content_hash"] for client_id, one in self.clients.items()}


def hashes(listing: Listing) -> dict[str, str]:
    return {client_id: row(client_id, **fields).content_hash for client_id, fields in listing.items()}


def changes(diff: AccountDiff) -> list[tuple[str, str]]:
    return [(one["client_id"], one["change"]) for one in diff.changes]


def ten_clients() -> Dataset:
    dataset = Dataset()
    dataset.take({str(number): {} for number in range(10)})
    return dataset


listings = st.dictionaries(
    st.sampled_from("123"),
    st.fixed_dictionaries({}, optional={"client_name": st.sampled_from("xy"), "tier": st.integers(0, 1)}),
)
every_history = settings(max_examples=150, deadline=None)


def test_the_first_listing_of_an_account_is_its_baseline() -> None:
    """What was there before the first complete sync was not created since."""
    diff = Dataset().diff({"1": {"client_name": "one"}, "2": {}})

    assert changes(diff) == [("1", "baseline"), ("2", "baseline")]
    assert (diff.count("baseline"), diff.count("created"), diff.unchanged) == (2, 0, 0)


def test_a_client_that_appears_after_the_baseline_is_created() -> None:
    """Its row and its log row have the whole client; nothing else is written."""
    dataset = Dataset()
    dataset.take({"1": {}})

    diff = dataset.diff({"1": {}, "2": {"client_name": "two", "client_uri": "https://www.app.example/"}})

    (client,), (change,) = diff.clients, diff.changes
    change_id = change.pop("change_id")
    document = {"client_id": "2", "client_name": "two", "client_uri": "https://www.app.example/"}
    content_hash = row("2", client_name="two", client_uri="https://www.app.example/").content_hash
    assert client == {
        **document,
        "client_domain": "app.example",
        "client_uri_scheme": "https",
        "client_uri_has_userinfo": False,
        "client_name_skeleton": "two",
        "account_id": ACCOUNT,
        "change_id": change_id,
        "derived_version": DERIVED_VERSION,
        "content_hash": content_hash,
        "observed_at": NOW,
    }
    assert json.loads(change.pop("document_after")) == document
    assert len(change_id) == 32
    assert change == {
        "account_id": ACCOUNT,
        "client_id": "2",
        "client_name": "two",
        "change": "created",
        "changed_fields": None,
        "document_before": None,
        "content_hash": content_hash,
        "previous_change_id": None,
        "derived_version": DERIVED_VERSION,
        "has_rotated_secret": False,
        "observed_at": NOW,
        "sync_id": "sync",
    }
    assert diff.unchanged == 1


def test_a_client_whose_content_changed_is_updated() -> None:
    """The log row has both documents, the sorted names of the fields, and the change before it."""
    dataset = Dataset()
    (first,) = dataset.take({"1": {"client_name": "one", "tier": 1, "scopes": ["a", "b"]}}).changes

    diff = dataset.diff({"1": {"client_name": "uno", "new": "x", "scopes": ["b", "a"]}})

    (change,) = diff.changes
    assert change["change"] == "updated"
    assert change["client_name"] == "uno"
    assert json.loads(change["changed_fields"]) == ["client_name", "new", "tier"]
    assert json.loads(change["document_before"])["client_name"] == "one"
    assert json.loads(change["document_after"])["client_name"] == "uno"
    assert change["previous_change_id"] == first["change_id"]
    assert [one["client_name"] for one in diff.clients] == ["uno"]


def test_a_client_that_a_whole_listing_lacks_is_deleted() -> None:
    """The log row keeps the last document and the name; the client's row is marked for removal."""
    dataset = Dataset()
    (first,) = dataset.take({"1": {"client_name": "one"}}).changes

    diff = dataset.diff({})

    (change,) = diff.changes
    assert diff.clients == [{"account_id": ACCOUNT, "client_id": "1", DELETED: True}]
    assert change["change"] == "deleted"
    assert change["client_name"] == "one"
    assert json.loads(change["document_before"]) == {"client_id": "1", "client_name": "one"}
    assert (change["document_after"], change["content_hash"], change["changed_fields"]) == (None, None, None)
    assert change["previous_change_id"] == first["change_id"]


def test_nothing_is_written_if_nothing_changed() -> None:
    """Reordered arrays and new empty fields are no change."""
    dataset = Dataset()
    dataset.take({"1": {"scopes": ["a", "b"]}, "2": {}})

    diff = dataset.diff({"2": {"redirect_uris": []}, "1": {"scopes": ["b", "a"], "client_name": None}})

    assert diff == AccountDiff(unchanged=2)


def test_a_client_that_comes_back_is_created_again() -> None:
    """Its chain of changes goes on, so its log rows are all different."""
    dataset = Dataset()
    for listing in ({"1": {}}, {}, {"1": {}}, {}, {"1": {}}):
        dataset.take(listing)

    assert [one["change"] for one in dataset.log] == ["baseline", "deleted", "created", "deleted", "created"]
    ids = [one["change_id"] for one in dataset.log]
    assert [one["previous_change_id"] for one in dataset.log] == [None, *ids[:-1]]
    assert len(set(ids)) == 5


def test_a_change_and_its_reversal_are_two_changes() -> None:
    """The second has the content of the first log row, but another change before it."""
    dataset = Dataset()
    for name in ("one", "two", "one"):
        dataset.take({"1": {"client_name": name}})

    assert [one["change"] for one in dataset.log] == ["baseline", "updated", "updated"]
    assert len({one["change_id"] for one in dataset.log}) == 3
    assert dataset.log[0]["content_hash"] == dataset.log[2]["content_hash"]


def test_a_change_id_depends_on_neither_time_nor_sync() -> None:
    """A sync that is killed and repeated the next day logs the same rows under the same ids."""
    dataset = Dataset()
    dataset.take({"1": {"client_name": "one"}, "2": {}})
    listing = {"1": {"client_name": "uno"}, "3": {}}

    first = dataset.diff(listing)
    second = dataset.diff(listing, sync_id="later", observed_at=datetime(2027, 1, 1, tzinfo=UTC))

    assert changes(first) == [("1", "updated"), ("3", "created"), ("2", "deleted")]
    assert [one["change_id"] for one in first.changes] == [one["change_id"] for one in second.changes]


def test_a_change_id_depends_on_the_account_and_the_client() -> None:
    """Two accounts may have a client with the same id and the same content."""
    dataset = Dataset()
    same = {"may_delete": True, "max_delete_fraction": 1.0, "sync_id": "sync", "observed_at": NOW}
    ids = {
        diff_account(
            account,
            [row(client_id)],
            StoredAccount(),
            dataset.documents_after,
            dataset.observed_before,
            **same,
        ).changes[0]["change_id"]
        for account in ("a", "b")
        for client_id in ("1", "2")
    }

    assert len(ids) == 4


def test_a_listing_that_is_not_whole_deletes_nothing() -> None:
    """What it lacks is withheld, by name; what it shows is created and updated all the same."""
    dataset = Dataset()
    dataset.take({"1": {}, "2": {}, "3": {"client_name": "three"}})

    diff = dataset.diff({"3": {"client_name": "drei"}, "4": {}}, may_delete=False)

    assert changes(diff) == [("3", "updated"), ("4", "created")]
    assert [one["client_id"] for one in diff.clients] == ["3", "4"]
    assert (diff.withheld, diff.blocked) == (["1", "2"], False)


@pytest.mark.parametrize(
    ("fraction", "vanished", "blocked"),
    [
        (0.5, 5, False),
        (0.5, 6, True),
        (0.0, 0, False),
        (0.0, 1, True),
        (0.1, 1, False),
        (0.1, 2, True),
        (0.99, 9, False),
        (0.99, 10, True),
        (1.0, 10, False),
    ],
)
def test_more_deletions_than_the_fraction_allows_are_blocked(
    fraction: float, vanished: int, blocked: bool
) -> None:
    """Exactly the fraction may vanish from ten known clients; one more, and none is deleted."""
    dataset = ten_clients()

    diff = dataset.diff({str(number): {} for number in range(vanished, 10)}, max_delete_fraction=fraction)

    gone = [str(number) for number in range(vanished)]
    assert diff.blocked == blocked
    assert diff.withheld == (gone if blocked else [])
    assert changes(diff) == ([] if blocked else [(client_id, "deleted") for client_id in gone])
    assert len(diff.clients) == len(diff.changes)


def test_an_account_with_nine_known_clients_may_lose_them_all() -> None:
    """A fraction of so few says little: the guard begins at ten."""
    dataset = Dataset()
    dataset.take({str(number): {} for number in range(9)})

    diff = dataset.diff({}, max_delete_fraction=0.0)

    assert (diff.blocked, diff.count("deleted")) == (False, 9)


def test_new_clients_do_not_loosen_the_guard() -> None:
    """The fraction is one of the known clients, not of the listed ones."""
    dataset = ten_clients()

    diff = dataset.diff({f"new {number}": {} for number in range(100)}, max_delete_fraction=0.5)

    assert (diff.blocked, diff.count("created"), diff.count("deleted")) == (True, 100, 0)
    assert diff.withheld == sorted(str(number) for number in range(10))


def test_what_is_listed_by_a_blocked_account_is_written() -> None:
    """Blocked are the deletions only."""
    dataset = ten_clients()

    diff = dataset.diff({"0": {"client_name": "nil"}}, max_delete_fraction=0.5)

    assert changes(diff) == [("0", "updated")]
    assert [one["client_id"] for one in diff.clients] == ["0"]


def test_deleted_clients_are_not_known_any_more() -> None:
    """Clients that only the log remembers, as deleted, do not count towards the fraction."""
    dataset = ten_clients()
    dataset.take({"0": {}, "1": {}})

    diff = dataset.diff({}, max_delete_fraction=0.0)

    assert (diff.blocked, diff.count("deleted")) == (False, 2)


@pytest.mark.parametrize("write", [Dataset.write_clients, Dataset.write_log])
@every_history
@given(first=listings, second=listings)
def test_a_table_that_a_killed_sync_left_behind_catches_up(
    write: Callable[[Dataset, AccountDiff], None], first: Listing, second: Listing
) -> None:
    """Whichever table was written alone, the repeated sync ends as one that was never killed."""
    whole, killed = Dataset(), Dataset()
    for dataset in (whole, killed):
        dataset.take(first)
    whole.take(second)
    write(killed, killed.diff(second))

    again = killed.diff(second)
    killed.take(second)

    assert killed.hashes() == whole.hashes() == hashes(second)
    assert killed.log == whole.log
    # What was written already is not written again.
    assert not (again.clients if write is Dataset.write_clients else again.changes)


@every_history
@given(history=st.lists(listings, max_size=6))
def test_any_history_ends_with_what_was_listed_last(history: list[Listing]) -> None:
    """Promises 1, 4 and 5: the tables equal the last listing, and repeating it writes nothing."""
    dataset = Dataset()
    for listing in history:
        dataset.take(listing)

        stored = dataset.stored()
        logged = {client: one.content_hash for client, one in stored.last_changes.items()}
        assert dataset.hashes() == hashes(listing)
        assert {client: hash_ for client, hash_ in logged.items() if hash_} == hashes(listing)
        assert dataset.diff(listing) == AccountDiff(unchanged=len(listing))
    assert len({one["change_id"] for one in dataset.log}) == len(dataset.log)


@every_history
@given(history=st.lists(listings, max_size=6))
def test_every_change_follows_the_change_before_it(history: list[Listing]) -> None:
    """A client's log rows form one chain whose documents fit together."""
    dataset = Dataset()
    for listing in history:
        dataset.take(listing)

    for client_id in {one["client_id"] for one in dataset.log}:
        chain = [one for one in dataset.log if one["client_id"] == client_id]
        assert chain[0]["previous_change_id"] is None
        for before, after in pairwise(chain):
            assert after["previous_change_id"] == before["change_id"]
            assert after["document_before"] == before["document_after"]
            assert (after["change"] == "created") == (before["change"] == "deleted")


@every_history
@given(first=listings, second=listings, known=st.booleans())
def test_every_listed_client_is_counted_once(first: Listing, second: Listing, known: bool) -> None:
    """Unchanged, created, updated and baseline add up to the number of listed clients."""
    dataset = Dataset()
    dataset.take(first)
    dataset.baselined = known

    diff = dataset.diff(second)

    counted = diff.unchanged + sum(diff.count(change) for change in ("baseline", "created", "updated"))
    assert counted == len(second)
    assert diff.count("deleted") == len(first.keys() - second.keys())


def test_a_row_that_the_log_never_saw_is_removed_without_a_log_row() -> None:
    """Its deletion has nothing to follow in the log."""
    dataset = Dataset()
    dataset.write_clients(dataset.diff({"1": {}}))

    diff = dataset.diff({})

    assert diff.clients == [{"account_id": ACCOUNT, "client_id": "1", DELETED: True}]
    assert diff.changes == []


def test_a_row_of_uncertain_content_is_written_again() -> None:
    """A duplicated row is replaced, and the log, which is certain, gets no row."""
    dataset = Dataset()
    dataset.take({"1": {}})
    stored = dataset.stored()
    stored.clients["1"] = StoredClient(UNSURE)

    diff = diff_account(
        ACCOUNT,
        [row("1")],
        stored,
        dataset.documents_after,
        dataset.observed_before,
        may_delete=True,
        max_delete_fraction=0.5,
        sync_id="sync",
        observed_at=NOW,
    )

    assert [one["client_id"] for one in diff.clients] == ["1"]
    assert (diff.changes, diff.unchanged) == ([], 1)


def test_only_the_documents_before_a_change_are_asked_for() -> None:
    """Unchanged clients, new ones and those deleted before cost no look at the log."""
    dataset = Dataset()
    dataset.take({"same": {}, "changed": {}, "gone": {}, "back": {}})
    dataset.take({"same": {}, "changed": {}, "gone": {}})
    stored = dataset.stored()
    asked: list[str] = []

    def documents_after(change_ids: Collection[str]) -> Listing:
        asked.extend(change_ids)
        return dataset.documents_after(change_ids)

    diff_account(
        ACCOUNT,
        [row("same"), row("changed", tier=1), row("back"), row("new")],
        stored,
        documents_after,
        dataset.observed_before,
        may_delete=True,
        max_delete_fraction=1.0,
        sync_id="sync",
        observed_at=NOW,
    )

    expected = [stored.last_changes[client_id].change_id for client_id in ("changed", "gone")]
    assert asked == expected
