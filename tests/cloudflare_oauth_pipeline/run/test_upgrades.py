"""Releases follow each other, forwards and backwards: nothing is lost, and nothing logged by mistake."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.programs import Program, copied_program, released_program, this_program
from tests.support.warehouses import LAKES, Sync, Warehouse

A, B = account_id("a"), account_id("b")

# Each starts several processes.
pytestmark = pytest.mark.scale
EVERYWHERE = ["duckdb", "postgres", "filesystem", "filesystem on s3", *LAKES]
TABLES_PY = "sources/cloudflare_oauth/records/tables.py"
SCHEMA_PY = "sources/cloudflare_oauth/dlt_schema.py"
RENAMED = ('"Name of the account."', '"The name of the account."')


def reworded(folder: Path) -> Program:
    """A release that describes one column in other words."""
    return copied_program(folder, {TABLES_PY: RENAMED})


def declaring(folder: Path, data_type: str) -> Program:
    """A release that declares the field `extra`."""
    old = '    column("promoted_at",'
    return copied_program(
        folder, {TABLES_PY: (old, f'    column("extra", "{data_type}", "Something new."),\n{old}')}
    )


def fill(api: FakeApi) -> None:
    """Clients of every kind, with declared and undeclared fields."""
    add = api.organisation.add
    for number in range(12):
        add(
            A,
            client_id=f"{number}",
            client_name=f"Client {number}",
            redirect_uris=[f"https://{number}.example/cb"] * (1 + number % 2),
            scopes=["zone.read", "dns.write", "zone.read"],
            has_rotated_secret=number % 3 == 0,
            created_at="2026-06-01T02:03:04.5+02:00",
            client_uri_verification={"status": "verified", "text": "t"},
        )
    add(
        B,
        client_id="odd",
        extra=5,
        contacts=["a", "b"],
        deep={"er": {"list": [{"x": 1.5}, "y", [2]]}},
        half=1e3,
    )
    add(B, client_id="text", extra=7, contacts=["c"], flag=True, big=2**60, nul="a\0b", name="Ω'\\")
    add(B, client_id="empty", scopes=[], redirect_uris=None)


# What each release computes in its own way.
COMPUTED = {"content_hash", "change_id", "derived_version"}


def clients_as(content: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Clients and their arrays with the columns alone that an old release had, without what it computed."""
    columns = {table: {name for row in rows for name in row} - COMPUTED for table, rows in old.items()}
    return {
        table: sorted(({name: row[name] for name in row if name in columns[table]} for row in rows), key=repr)
        for table, rows in content.items()
        if table.startswith("oauth_clients")
    }


def first_seen(warehouse: Warehouse) -> dict[tuple[str, str], Any]:
    """When the content of each client was first seen."""
    return {
        (row["account_id"], row["client_id"]): row["observed_at"] for row in warehouse.rows("oauth_clients")
    }


# It could not write to a lake without a download of DuckDB's extensions.
@pytest.mark.parametrize("any_warehouse", ["duckdb", "postgres", "filesystem"], indirect=True)
def test_a_dataset_of_the_last_release_is_taken_over_in_silence(
    api: FakeApi, sync_into: Sync, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """No change is logged, no row is lost, the next sync writes nothing; true changes are logged as ever."""
    fill(api)
    old = released_program(tmp_path / "old")
    home = tmp_path / "home"
    assert old.sync(api, any_warehouse, home)["exit_code"] == 0
    api.organisation.change(A, "1", client_name="Renamed")
    api.organisation.remove(A, "2")
    assert old.sync(api, any_warehouse, home)["exit_code"] == 0
    before = any_warehouse.content()
    seen = first_seen(any_warehouse)
    log = any_warehouse.rows("oauth_client_changes")
    for command in ("changes", "findings"):
        arguments = (command, "--format", "json", "--destination", any_warehouse.destination)
        done = this_program().run(*arguments, api=api, warehouse=any_warehouse, home=home)
        assert done.returncode == 0, done.stderr

    summary = sync_into(any_warehouse)

    counts = {name: number for name, number in summary.clients.items() if number}
    assert (summary.exit_code, counts) == (0, {"listed": 14, "unchanged": 14})
    now = {row["change_id"]: row for row in any_warehouse.rows("oauth_client_changes")}
    assert len(now) == len(log)
    for row in log:
        # Rows whose derived columns older rules have computed are written again, in silence.
        kept = {name for name in row if not name.startswith("_dlt") and name != "derived_version"}
        assert {name: row[name] for name in kept} == {name: now[row["change_id"]][name] for name in kept}
    assert clients_as(any_warehouse.content(), before) == clients_as(before, before)
    assert first_seen(any_warehouse) == seen
    written = {table: rows for table, rows in any_warehouse.content().items() if table != "account_syncs"}

    again = sync_into(any_warehouse)
    assert again.clients["unchanged"] == 14
    assert {
        table: rows for table, rows in any_warehouse.content().items() if table != "account_syncs"
    } == written

    api.organisation.change(A, "3", redirect_uris=["https://3.example/cb"])
    api.organisation.change(B, "odd", extra="abc", contacts=["b"])
    api.organisation.remove(B, "text")
    changed = sync_into(any_warehouse)
    assert {name: number for name, number in changed.clients.items() if number} == {
        "listed": 13,
        "unchanged": 11,
        "updated": 2,
        "deleted": 1,
    }
    assert [row["value"] for row in any_warehouse.rows("oauth_clients__contacts")] == ["b"]
    assert {row["client_id"] for row in any_warehouse.rows("oauth_clients__contacts")} == {"odd"}


@pytest.mark.parametrize("any_warehouse", EVERYWHERE, indirect=True)
def test_what_one_release_has_learned_no_other_forgets(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """Forwards and back again: rows of learned arrays go with their client, and types stay what they were."""
    fill(api)
    first, second = this_program(), reworded(tmp_path / "second")
    assert first.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0

    api.organisation.remove(B, "odd")
    api.organisation.change(B, "text", extra="abc")
    done = second.sync(api, any_warehouse, tmp_path / "new home")
    assert (done["exit_code"], done["clients"]["deleted"]) == (0, 1), done["stderr"]
    assert {row["client_id"] for row in any_warehouse.rows("oauth_clients__contacts")} == {"text"}
    assert {row["extra__v_text"] for row in any_warehouse.rows("oauth_clients")} == {None, "abc"}

    api.organisation.change(B, "text", extra=8, contacts=["d"], later=[1])
    done = first.sync(api, any_warehouse, tmp_path / "home")
    assert (done["exit_code"], done["clients"]["updated"]) == (0, 1), done["stderr"]
    api.organisation.remove(B, "text")
    done = second.sync(api, any_warehouse, tmp_path / "new home")
    assert (done["exit_code"], done["clients"]["deleted"]) == (0, 1), done["stderr"]
    assert any_warehouse.rows("oauth_clients__contacts") == any_warehouse.rows("oauth_clients__later") == []


@pytest.mark.parametrize("data_type", ["text", "bigint", "timestamp"])
def test_a_learned_field_may_be_declared_later(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path, data_type: str
) -> None:
    """The column keeps the type that it has; values of the declared type stand beside it."""
    first, second = this_program(), declaring(tmp_path / "second", data_type)
    learned = {"text": "2026-06-03T00:00:00Z", "bigint": 5, "timestamp": "2026-06-03T00:00:00Z"}[data_type]
    api.organisation.add(A, client_id="1", extra=learned)
    api.organisation.add(A, client_id="2", extra=learned)
    assert first.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0
    api.organisation.add(A, client_id="3", extra="2026-06-04T00:00:00Z" if data_type != "bigint" else "7")

    done = second.sync(api, any_warehouse, tmp_path / "home")

    if data_type == "bigint":
        # The validation of declared fields knows no numbers: the row is rejected, and the rest goes on.
        assert done["exit_code"] == 3
    else:
        assert (done["exit_code"], done["clients"]["created"]) == (0, 1), done["stderr"]
        assert len(any_warehouse.rows("oauth_clients")) == 3
    back = first.sync(api, any_warehouse, tmp_path / "home")
    assert back["exit_code"] == 0, back["stderr"]


def test_two_shards_that_learn_at_the_same_time_forget_nothing(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """Each has a home of its own, and so does not know what the other one has learned."""
    program = this_program()
    api.organisation.add(A, client_id="1", tags=["a"], level=1)
    api.organisation.add(B, client_id="1", groups=["b"], level="high")

    def sync(account: str) -> None:
        home = tmp_path / account[:4]
        arguments = ("sync", "--account", account, "--pipeline-name", f"shard-{account[:4]}")
        arguments += ("--destination", any_warehouse.destination)
        done = program.run(*arguments, api=api, warehouse=any_warehouse, home=home)
        assert done.returncode == 0, done.stderr

    for account in (A, B, A, B):
        sync(account)
    api.organisation.remove(A, "1")
    api.organisation.remove(B, "1")
    for account in (B, A):
        sync(account)

    for table in ("oauth_clients", "oauth_clients__tags", "oauth_clients__groups"):
        assert any_warehouse.rows(table) == []


@pytest.mark.parametrize("any_warehouse", EVERYWHERE, indirect=True)
def test_better_rules_renew_what_older_ones_have_computed(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """Derived columns of unchanged clients and of logged changes follow the rules; nothing is logged."""
    fill(api)
    older = this_program()
    better = copied_program(
        tmp_path / "better",
        {
            TABLES_PY: ("DERIVED_VERSION = 2", "DERIVED_VERSION = 3"),
            "sources/cloudflare_oauth/records/enrichment.py": (
                'return {"writes": _READING.fullmatch(action) is None',
                'return {"writes": action == "read"',
            ),
        },
    )
    assert older.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0
    api.organisation.change(A, "1", scopes=["zone.read", "dns.read"])
    assert older.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0
    log = len(any_warehouse.rows("oauth_client_changes"))
    seen = first_seen(any_warehouse)

    done = better.sync(api, any_warehouse, tmp_path / "home")

    counts = {name: number for name, number in done["clients"].items() if number}
    assert (done["exit_code"], counts) == (0, {"listed": 15, "unchanged": 15}), done["stderr"]
    writes = {(row["value"], row["writes"]) for row in any_warehouse.rows("oauth_clients__scopes")}
    assert writes == {("zone.read", True), ("dns.write", False), ("dns.read", True)}
    assert first_seen(any_warehouse) == seen
    changes = any_warehouse.rows("oauth_client_changes")
    assert len(changes) == log
    assert [row["write_scopes_added"] for row in changes if row["change"] == "updated"] == ["dns.read"]
    assert better.sync(api, any_warehouse, tmp_path / "home")["clients"]["unchanged"] == 15


def test_uris_loaded_before_they_were_judged_as_browsers_see_them_get_the_new_verdicts(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """Clients without a change are judged anew by the next sync; the log gets no row."""
    older = copied_program(
        tmp_path / "older",
        {
            TABLES_PY: ("DERIVED_VERSION = 2", "DERIVED_VERSION = 1"),
            "sources/cloudflare_oauth/records/enrichment.py": (
                "return uri.strip(_AROUND).translate(_ANYWHERE)",
                "return uri",
            ),
        },
    )
    hidden = {
        "script": {"redirect_uris": [" javascript:alert(1)"]},
        "http": {"redirect_uris": ["ht\ttp://a.example/cb"]},
        "oob": {"redirect_uris": ["o\nob"]},
        "logout": {"post_logout_redirect_uris": ["\x01javascript:alert(1)"]},
        "shown": {"client_uri": "java\nscript:alert(1)"},
    }
    for client_id, fields in hidden.items():
        api.organisation.add(A, client_id=client_id, **fields)
    verdicts = {
        ("script", "RU-09"),
        ("http", "RU-01"),
        ("oob", "RU-14"),
        ("logout", "LO-03"),
        ("shown", "ID-08"),
    }

    def found(program: Program) -> set[tuple[str, str]]:
        arguments = ("findings", "--min-severity", "high", "--format", "json")
        arguments += ("--destination", any_warehouse.destination)
        done = program.run(*arguments, api=api, warehouse=any_warehouse, home=tmp_path / "home")
        assert done.returncode == 0, done.stderr
        return {(row["client_id"], row["rule_id"]) for row in json.loads(done.stdout)}

    assert older.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0
    assert found(older) == set()
    log = len(any_warehouse.rows("oauth_client_changes"))

    done = this_program().sync(api, any_warehouse, tmp_path / "home")

    assert (done["exit_code"], done["clients"]["unchanged"]) == (0, 5), done["stderr"]
    assert found(this_program()) == verdicts
    assert len(any_warehouse.rows("oauth_client_changes")) == log


def test_an_older_program_does_not_write_to_a_newer_dataset(
    api: FakeApi, any_warehouse: Warehouse, tmp_path: Path
) -> None:
    """It says so in one sentence, and changes nothing."""
    newer = copied_program(tmp_path / "newer", {SCHEMA_PY: ("DATASET_FORMAT = 2", "DATASET_FORMAT = 3")})
    fill(api)
    assert newer.sync(api, any_warehouse, tmp_path / "home")["exit_code"] == 0
    before = any_warehouse.content()
    api.organisation.remove(A, "1")

    done = this_program().run(
        *("sync", "--destination", any_warehouse.destination),
        api=api,
        warehouse=any_warehouse,
        home=tmp_path / "home",
    )

    assert done.returncode == 1
    assert "a newer release of cloudflare-oauth-clients has written to the dataset" in done.stderr
    assert "Traceback" not in done.stderr
    assert any_warehouse.content() == before
