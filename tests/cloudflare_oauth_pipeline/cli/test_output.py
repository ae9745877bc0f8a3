"""Tables and messages of many, of long values, and of ids."""

import pytest

from cloudflare_oauth_pipeline.cli.output.console import ACCOUNTS_NAMED, LONGEST_CELL
from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.commands import Run


@pytest.mark.parametrize("command", ["sync", "check"])
def test_many_accounts_with_one_problem_are_told_once(api: FakeApi, run: Run, command: str) -> None:
    """The first few by their ids, then how many more there are for the same reason."""
    for number in range(60):
        account = account_id(number)
        api.organisation.add(account, client_id="client")
        if number < 50:
            api.behaviour.forbid(account)
        elif number < 53:
            api.behaviour.not_found(account)

    done = run(command)

    assert done.exit_code == 3, done.stderr
    word = "forbidden" if command == "sync" else "refused"
    named = [line for line in done.stderr.splitlines() if "(403, code 10000)" in line]
    assert len(named) == ACCOUNTS_NAMED + 1
    assert named[-1].startswith(
        f"{word}: {50 - ACCOUNTS_NAMED} more accounts, 50 in all, for the same reason: "
    )
    assert len([line for line in done.stderr.splitlines() if "code 7003" in line]) == 3


def test_messages_that_differ_in_a_number_or_an_id_are_of_one_kind(api: FakeApi, run: Run) -> None:
    """Whatever each account has many of."""
    for number in range(40):
        for client in range(1 + number % 7):
            api.organisation.add(account_id(number), client_id=f"{client:032x}", scopes=7)

    done = run("sync")

    named = [line for line in done.stderr.splitlines() if "without some of their fields" in line]
    assert len(named) == ACCOUNTS_NAMED + 1
    assert f"{40 - ACCOUNTS_NAMED} more accounts, 40 in all" in named[-1]


def test_a_long_name_hides_no_other_change(api: FakeApi, run: Run) -> None:
    """A client chooses its own name."""
    one = account_id("one")
    api.organisation.add(one, client_id="client", client_name="x" * 1_500, visibility="private")
    run("sync")
    api.organisation.change(
        one,
        "client",
        client_name="y" * 1_500,
        redirect_uris=["http://evil.example/*"],
        scopes=["zone.write"],
        visibility="public",
    )
    run("sync")

    table = run("changes").stdout

    for shown in ("evil.example", "zone.write", "visibility", "public", account_id("one")[:8]):
        assert shown in table


def test_a_long_value_is_cut_in_tables_alone(api: FakeApi, run: Run) -> None:
    """JSON and CSV have all of it."""
    name = "x" * 200_000
    api.organisation.add(account_id("one"), client_id="client", client_name=name)
    assert run("sync").exit_code == 0

    table = run("changes").stdout

    assert len(table) < 20 * LONGEST_CELL
    assert "(200,026 characters; --format json has all)" in table.replace("\n", "") or "characters;" in table
    assert name in run("changes", "--format", "json").stdout
    assert name in run("changes", "--format", "csv").stdout


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_ids_are_never_broken_where_there_is_room(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """So that they can be copied."""
    one, client = account_id("one"), "f" * 32
    api.organisation.add(
        one, name="", client_id=client, client_name=None, redirect_uris=["https://a.example/*"]
    )
    assert run("sync").exit_code == 0
    monkeypatch.setenv("COLUMNS", str(columns))

    assert client in run("changes").stdout
    assert client in run("findings").stdout
    assert one in run("check").stdout


@pytest.mark.parametrize("columns", [20, 30, 40])
def test_nothing_is_lost_on_a_narrow_screen(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """There, ids are broken rather than cut."""
    client = "f" * 32
    api.organisation.add(account_id("one"), client_id=client, client_name=None)
    assert run("sync").exit_code == 0
    monkeypatch.setenv("COLUMNS", str(columns))

    assert run("changes").stdout.count("f") >= len(client)
