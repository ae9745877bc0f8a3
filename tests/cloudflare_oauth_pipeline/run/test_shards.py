"""Several syncs into one dataset: how accounts are divided, and that together they write what one would."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cloudflare_oauth_pipeline
from cloudflare_oauth import ConfigurationError, SyncSettings
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.shards import Account, Shard, combine, list_accounts, plan_shards
from cloudflare_oauth_pipeline.run.summary import CLIENT_COUNTS, Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import settings_for
from tests.support.warehouses import DuckDB

A, B, C, D, E = sorted(map(account_id, "abcde"))
TOKENS = ("apac", "emea", "us_1", "us_2")
SCOPES = "/oauth/scopes"

seen_by = st.dictionaries(
    st.integers(0, 60).map(account_id),
    st.sets(st.sampled_from(TOKENS), min_size=1),
    min_size=1,
    max_size=40,
)
every_plan = settings(max_examples=150, deadline=None)


def listed(seen: dict[str, set[str]]) -> dict[str, list[Account]]:
    """What each token lists."""
    return {
        token: [Account(one, f"name of {one}", f'{{"id": "{one}"}}') for one in seen if token in seen[one]]
        for token in TOKENS
    }


def loads(shards: list[Shard]) -> Counter[str]:
    found = Counter[str](dict.fromkeys(TOKENS, 0))
    for shard in shards:
        found[shard.token] += len(shard.accounts)
    return found


@every_plan
@given(seen=seen_by, number=st.none() | st.integers(1, 50))
def test_every_account_is_read_once_by_a_token_that_sees_it(
    seen: dict[str, set[str]], number: int | None
) -> None:
    """Names differ, the shards of a token share its quota, and one of all is the first."""
    shards = plan_shards(listed(seen), number)

    read = [(account, shard.token) for shard in shards for account in shard.account_ids]
    assert sorted(account for account, _ in read) == sorted(seen)
    assert all(token in seen[account] for account, token in read)
    assert len({shard.name.lower() for shard in shards}) == len(shards)
    assert [shard.is_first for shard in shards] == [True] + [False] * (len(shards) - 1)
    tokens = {shard.token for shard in shards}
    for token in tokens:
        assert sum(shard.quota_share for shard in shards if shard.token == token) == pytest.approx(1)
    assert len(shards) == max(len(tokens), min(number or 0, len(seen)))


@every_plan
@given(seen=seen_by, number=st.none() | st.integers(1, 9))
def test_no_account_could_move_to_a_token_that_has_much_less_to_read(
    seen: dict[str, set[str]], number: int | None
) -> None:
    """Not directly, and not by way of others that pass on one of theirs."""
    shards = plan_shards(listed(seen), number)

    load = loads(shards)
    reads = {account: shard.token for shard in shards for account in shard.account_ids}
    for start in TOKENS:
        reached = [start]
        for token in reached:
            takers = {other for account in seen for other in seen[account] if reads[account] == token}
            reached += sorted(takers - set(reached))
        assert min(load[token] for token in reached) >= load[start] - 1
    sizes: dict[str, set[int]] = {}
    for shard in shards:
        sizes.setdefault(shard.token, set()).add(len(shard.accounts))
    assert all(max(found) - min(found) <= 1 for found in sizes.values())


@every_plan
@given(seen=seen_by, number=st.none() | st.integers(1, 9), data=st.data())
def test_the_plan_does_not_depend_on_the_order_of_what_is_listed(
    seen: dict[str, set[str]], number: int | None, data: st.DataObject
) -> None:
    """Neither of the tokens nor of the accounts."""
    accounts = listed(seen)
    tokens = data.draw(st.permutations(TOKENS))
    mixed = {token: data.draw(st.permutations(accounts[token])) for token in tokens}

    assert plan_shards(mixed, number) == plan_shards(accounts, number)


def test_what_was_given_to_a_token_first_moves_on_when_others_need_it() -> None:
    """Account A is the first to be given away, when `apac` is as good as `emea`."""
    seen = {A: {"apac", "emea"}} | {one: {"apac", "us_1"} for one in (B, C, D, E)}

    assert loads(plan_shards(listed(seen))) == {"apac": 2, "emea": 1, "us_1": 2, "us_2": 0}


@pytest.mark.parametrize(
    ("accounts", "number", "message"),
    [
        ({}, None, "no account"),
        ({"emea": []}, None, "no account"),
        ({"emea": [Account(A)]}, 0, "shards is 0"),
        ({"e-mea": [Account(A)]}, None, "name a token"),
        ({"": [Account(A)]}, None, "name a token"),
        ({"a" * 51: [Account(A)]}, None, "name a token"),
        ({"emea": [Account(A)], "EMEA": []}, None, "differ only in case"),
    ],
)
def test_what_cannot_be_planned_is_refused(accounts: Any, number: int | None, message: str) -> None:
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=message):
        plan_shards(accounts, number)


def test_a_shard_comes_back_from_json_and_holds_no_credential() -> None:
    """What an orchestrator passes from step to step."""
    base = SyncSettings(api_token="hush-hush", concurrency=3, quota_share=0.8)
    shards = plan_shards(listed({A: {"emea"}, B: {"emea"}}), 2)

    for shard in shards:
        document = json.loads(json.dumps(shard.as_json()))
        assert Shard.from_json(document) == shard
        given_settings = shard.settings(base)
        assert "hush" not in json.dumps(document) + json.dumps(given_settings.as_json())
        assert given_settings == SyncSettings(
            api_token="hush-hush",
            concurrency=3,
            quota_share=0.4,
            account_ids=shard.account_ids,
            account_documents=(f'{{"id": "{shard.account_ids[0]}"}}',),
            with_shared=shard.is_first,
        )


def test_given_credentials_are_never_combined_with_those_of_the_base() -> None:
    """A token of the base would come before the pair that is given."""
    (shard,) = plan_shards({"emea": [Account(A)]})

    given_settings = shard.settings(SyncSettings(api_token="t"), email="me@example.com", api_key="k")

    assert (given_settings.api_token, given_settings.email, given_settings.api_key) == (
        None,
        "me@example.com",
        "k",
    )


def test_an_empty_token_gives_way_to_no_other(api: FakeApi) -> None:
    """Neither to that of the base, nor to what the environment has; nothing is requested."""
    (shard,) = plan_shards({"emea": [Account(A)]})

    with pytest.raises(ConfigurationError, match="API token that was given is empty"):
        shard.settings(SyncSettings(api_token="t"), api_token="")
    with pytest.raises(ConfigurationError, match="API token that was given is empty"):
        list_accounts(settings_for(api), api_token=" ")
    assert not api.requests


SHARD = plan_shards({"emea": [Account(A)]})[0].as_json()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        SHARD | {"unknown": 1},
        SHARD | {"accounts": None},
        SHARD | {"accounts": []},
        SHARD | {"accounts": [A]},
        SHARD | {"accounts": [{"id": "short"}]},
        SHARD | {"accounts": [{"id": A, "name": 7}]},
        SHARD | {"accounts": [{"id": A, "document": {}}]},
        SHARD | {"name": "a b"},
        SHARD | {"token": None},
        SHARD | {"quota_share": 0},
        SHARD | {"quota_share": "1"},
        SHARD | {"is_first": 1},
    ],
)
def test_json_that_is_no_shard_is_refused(document: Any) -> None:
    """With one kind of error."""
    with pytest.raises(ConfigurationError):
        Shard.from_json(document)


def summary(status: str = "complete", unread: tuple[str, ...] = (), seconds: float = 1.5) -> Summary:
    return Summary(
        sync_id=f"id-{status}",
        status=status,
        accounts={status: 1},
        clients=dict.fromkeys(CLIENT_COUNTS, 2),
        requests=3,
        retries=1,
        rate_limited=0,
        waited_seconds=0.25,
        duration_seconds=seconds,
        unread_accounts=unread,
    )


def test_several_results_are_one() -> None:
    """Counts are added up; the worst status is that of all; what no sync has read is unread."""
    total = combine([summary(unread=(A, B, C)), summary("partial", unread=(B, C, D), seconds=4)])

    assert total == Summary(
        sync_id="id-complete,id-partial",
        status="partial",
        accounts={"complete": 1, "partial": 1},
        clients=dict.fromkeys(CLIENT_COUNTS, 4),
        requests=6,
        retries=2,
        rate_limited=0,
        waited_seconds=0.5,
        duration_seconds=4,
        unread_accounts=(B, C),
    )


def test_a_sync_that_raised_makes_the_total_a_failure() -> None:
    """It has no summary, and so no counts."""
    assert combine([summary(unread=(A,)), None]) == replace(combine([summary(unread=(A,))]), status="failed")
    none = combine([None, None])
    assert (none.status, none.exit_code, none.sync_id, none.accounts) == ("failed", 1, "", {})
    assert (none.requests, none.duration_seconds, none.unread_accounts) == (0, 0, ())
    assert none.clients == dict.fromkeys(CLIENT_COUNTS, 0)
    with pytest.raises(ConfigurationError):
        combine([])


@pytest.mark.parametrize("one", [summary(), summary("failed", unread=(A, B))])
def test_a_summary_comes_back_from_json(one: Summary) -> None:
    """With what is unread only if there is anything."""
    document = json.loads(json.dumps(one.as_json()))

    assert Summary.from_json(document) == one
    assert ("unread_accounts" in document) == bool(one.unread_accounts)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        summary().as_json() | {"unknown": 1},
        summary().as_json() | {"sync_id": 7},
        summary().as_json() | {"status": "good"},
        summary().as_json() | {"status": []},
        summary().as_json() | {"accounts": None},
        summary().as_json() | {"clients": {}},
        summary().as_json() | {"clients": {"listed": "1"}},
        summary().as_json() | {"requests": "3"},
        summary().as_json() | {"duration_seconds": None},
        summary().as_json() | {"unread_accounts": 7},
        summary().as_json() | {"unread_accounts": [7]},
    ],
)
def test_json_that_is_no_summary_is_refused(document: Any) -> None:
    """With one kind of error."""
    with pytest.raises(ConfigurationError, match="not the summary of a sync"):
        Summary.from_json(document)


def test_the_library_exports_what_shards_need() -> None:
    """Each when it is first used."""
    for name in ("Account", "Shard", "list_accounts", "plan_shards", "combine"):
        assert name in cloudflare_oauth_pipeline.__all__
        assert getattr(cloudflare_oauth_pipeline, name).__module__.endswith(".run.shards")


@pytest.fixture
def apis(api: FakeApi) -> Iterator[dict[str, FakeApi]]:
    """What two tokens see, which have account B in common."""
    with FakeApi() as other:
        for one, accounts in ((api, (A, B)), (other, (B, C, D))):
            for account in accounts:
                one.organisation.add_account(account, name=f"Ä {account}", new_field={"deep": [1.5, None]})
                for number in range(3):
                    one.organisation.add(account, client_id=f"client-{number}", scopes=["zone.read"])
            # A field that cannot be taken, and one that may hold a secret.
            one.organisation.change_account(B, created_on="yesterday", api_secret="hush")
        yield {"emea": api, "apac": other}


def planned(apis: dict[str, FakeApi], shards: int) -> list[Shard]:
    return plan_shards(
        {token: list_accounts(settings_for(api), api_token=FAKE_TOKEN) for token, api in apis.items()}, shards
    )


def read(apis: dict[str, FakeApi], shards: list[Shard], folder: Path) -> list[Summary]:
    return [
        sync(
            Target(db=folder / "shards.duckdb", pipeline_name=shard.name, pipelines_dir=folder / "dlt"),
            # As a step of its own would be told.
            Shard.from_json(json.loads(json.dumps(shard.as_json()))).settings(
                settings_for(apis[shard.token])
            ),
        )
        for shard in shards
    ]


def test_shards_together_write_what_one_sync_writes(apis: dict[str, FakeApi], tmp_path: Path) -> None:
    """Row for row, rejected fields of accounts and all; what is shared is requested once."""
    shards = planned(apis, 3)
    with FakeApi() as whole:
        for account in (A, B, C, D):
            owner = apis["emea" if account in (A, B) else "apac"].organisation
            (document,) = (one for one in owner.accounts() if one["id"] == account)
            whole.organisation.add_account(**{**document, "account_id": document["id"]})
            for client in owner.clients(account):
                whole.organisation.put(account, client)
        one = sync(Target(db=tmp_path / "whole.duckdb", pipelines_dir=tmp_path / "dlt"), settings_for(whole))
    before = {token: len(list(api.requests)) for token, api in apis.items()}

    results = read(apis, shards, tmp_path)
    again = read(apis, shards, tmp_path)

    total = combine(results)
    assert (total.status, total.accounts, total.clients) == (one.status, one.accounts, one.clients)
    assert total.unread_accounts == combine(again).unread_accounts == ()
    assert combine(again).clients["unchanged"] == 12
    content = DuckDB(tmp_path / "shards.duckdb").content()
    assert content.keys() == DuckDB(tmp_path / "whole.duckdb").content().keys()
    first = {name: rows for name, rows in content.items() if name != "account_syncs"}
    expected = DuckDB(tmp_path / "whole.duckdb").content()
    del expected["account_syncs"]
    assert first == expected
    assert content["rejected_rows"]
    paths = {
        token: [request.path for request in list(api.requests)[before[token] :]]
        for token, api in apis.items()
    }
    scopes = {token: sum(SCOPES in path for path in found) for token, found in paths.items()}
    assert scopes == {shards[0].token: 2, "emea": 0}
    assert not any(path.endswith("/accounts") for found in paths.values() for path in found)


def test_an_account_that_no_token_lists_any_more_is_unread(apis: dict[str, FakeApi], tmp_path: Path) -> None:
    """It keeps its clients; what the other shards read is unread in each sync alone."""
    read(apis, planned(apis, 2), tmp_path)
    apis["apac"].organisation.remove_account(D)

    results = read(apis, shards := planned(apis, 2), tmp_path)

    assert combine(results).unread_accounts == (D,)
    for shard, result in zip(shards, results, strict=True):
        assert result.unread_accounts == tuple(sorted({A, B, C, D} - set(shard.account_ids)))
    kept = DuckDB(tmp_path / "shards.duckdb").content()["oauth_clients"]
    assert Counter(row["account_id"] for row in kept) == dict.fromkeys((A, B, C, D), 3)


def test_accounts_that_are_excluded_or_resumed_are_not_unread(api: FakeApi, tmp_path: Path) -> None:
    """They were left out on purpose, or have been read."""
    for account in (A, B, C):
        api.organisation.add(account, client_id="1")
    target = Target(db=tmp_path / "clients.duckdb", pipelines_dir=tmp_path / "dlt")
    sync(target, settings_for(api))
    some = SyncSettings.from_json(
        settings_for(api).as_json() | {"resume_within": 3600, "exclude_account_ids": [B]},
        api_token=FAKE_TOKEN,
    )

    result = sync(target, replace(some, account_ids=(A,)))

    assert result.accounts == {}
    assert result.unread_accounts == (C,)


def test_accounts_are_listed_without_what_is_excluded(api: FakeApi) -> None:
    """Sorted by id, with documents that hold no secret."""
    for account in (C, A, B):
        api.organisation.add_account(account, client_secret="hush")

    found = list_accounts(settings_for(api, exclude_account_ids=(B,)))

    assert [account.id for account in found] == [A, C]
    for account in found:
        assert account.document and json.loads(account.document)["name"] == account.name
        assert "hush" not in account.document
        assert Account.from_json(account.as_json()) == account
