"""The command line: commands, options, outputs and exit codes."""

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_EMAIL, FAKE_KEY, FakeApi, account_id, faults
from cloudflare_oauth_pipeline.fake_api import rate_limit as quota
from cloudflare_oauth_pipeline.fake_api.faults import Fault
from tests.support.commands import DB, Run, rows

A, B = account_id("a"), account_id("b")
STATUS = "SELECT account_id, status, http_status, error_code FROM account_syncs WHERE sync_id = ?"


def test_a_first_sync_loads_everything_and_reports_it(api: FakeApi, run: Run) -> None:
    """Exit code 0: every account was read completely and loaded."""
    api.organisation.add(A, client_id="1", scopes=["zone.read", "dns.write"])
    api.organisation.add(B, client_id="1")

    done = run("sync", "--format", "json")

    assert done.exit_code == 0
    assert rows("SELECT account_id, client_id FROM oauth_clients ORDER BY ALL") == sorted(
        [(A, "1"), (B, "1")]
    )
    assert rows("SELECT value, _dlt_list_idx FROM oauth_clients__scopes ORDER BY 2") == [
        ("zone.read", 0),
        ("dns.write", 1),
    ]
    assert done.json | {"sync_id": "", "duration_seconds": 0} == {
        "sync_id": "",
        "status": "complete",
        "accounts": {"complete": 2},
        "clients": {
            "listed": 2,
            "created": 0,
            "updated": 0,
            "deleted": 0,
            "unchanged": 0,
            "baseline": 2,
            "rejected": 0,
        },
        "requests": 4,
        "retries": 0,
        "rate_limited": 0,
        "waited_seconds": 0.0,
        "duration_seconds": 0,
    }


def test_every_table_exists_after_a_first_sync_that_found_nothing(api: FakeApi, run: Run) -> None:
    """All tables exist from the first sync on, including those without rows."""
    api.organisation.add_account(A)

    assert run("sync").exit_code == 0

    tables = {
        name for (name,) in rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cloudflare'")
    }
    assert tables >= {
        "accounts",
        "account_syncs",
        "oauth_client_changes",
        "oauth_clients",
        "oauth_clients__allowed_cors_origins",
        "oauth_clients__grant_types",
        "oauth_clients__optional_scopes",
        "oauth_clients__post_logout_redirect_uris",
        "oauth_clients__redirect_uris",
        "oauth_clients__response_types",
        "oauth_clients__scopes",
        "oauth_scopes",
        "oauth_scopes__scopes",
        "rejected_rows",
    }


def test_an_account_that_fails_keeps_its_clients(api: FakeApi, run: Run) -> None:
    """Exit code 3: a 403 is not an empty listing, and nothing of that account is deleted."""
    api.organisation.add(A, client_id="1")
    run("sync")
    api.behaviour.forbid(A)

    done = run("sync", "--format", "json")

    assert (done.exit_code, done.json["status"], done.json["accounts"]) == (3, "partial", {"forbidden": 1})
    assert rows("SELECT account_id, client_id FROM oauth_clients") == [(A, "1")]
    assert rows(STATUS, done.json["sync_id"]) == [(A, "forbidden", 403, 10000)]
    assert f"account {A}" in done.stderr


def test_a_mass_deletion_is_blocked_and_named(api: FakeApi, run: Run) -> None:
    """`delete_blocked`: the message says how many clients, which, and which option allows the deletion."""
    for number in range(10):
        api.organisation.add(A, client_id=f"client-{number}")
    run("sync")
    for number in range(6):
        api.organisation.remove(A, f"client-{number}")

    blocked = run("sync", "--format", "json")
    kept = rows("SELECT count(*) FROM oauth_clients")
    allowed = run("sync", "--max-delete-fraction", "1", "--format", "json")

    assert (blocked.exit_code, blocked.json["accounts"], kept) == (3, {"delete_blocked": 1}, [(10,)])
    assert "6 known clients" in blocked.stderr
    assert "client-0" in blocked.stderr
    assert "--max-delete-fraction 1" in blocked.stderr
    assert (allowed.exit_code, allowed.json["clients"]["deleted"]) == (0, 6)
    assert rows("SELECT count(*) FROM oauth_clients") == [(4,)]


def test_an_account_that_is_no_longer_listed_keeps_its_clients(api: FakeApi, run: Run) -> None:
    """A vanished account deletes nothing; the sync reports that it is gone."""
    api.organisation.add(A, client_id="1")
    api.organisation.add(B, client_id="2")
    run("sync")
    api.organisation.remove_account(B)

    done = run("sync", "--format", "json")

    assert done.exit_code == 0
    assert "unread_accounts" not in done.json
    assert B in done.stderr
    assert rows("SELECT client_id FROM oauth_clients ORDER BY 1") == [("1",), ("2",)]


def test_a_rejected_row_is_reported_everywhere(api: FakeApi, run: Run) -> None:
    """`rejected_rows`, the summary and the exit code report it; nothing of its account is deleted."""
    api.organisation.add(A, client_id="1")
    api.organisation.add(A, client_id="2")
    run("sync")
    api.organisation.remove(A, "1")
    api.organisation.put(A, {"client_id": 3, "client_secret": "hush"})

    done = run("sync", "--format", "json")

    assert (done.exit_code, done.json["clients"]["rejected"]) == (3, 1)
    assert rows("SELECT account_id, reason, document FROM rejected_rows") == [
        (A, "no client_id", '{"client_id": 3}')
    ]
    assert rows("SELECT client_id FROM oauth_clients ORDER BY 1") == [("1",), ("2",)]
    assert rows("SELECT deletes_withheld FROM account_syncs WHERE sync_id = ?", done.json["sync_id"]) == [
        (1,)
    ]


def test_a_rejected_field_is_reported_everywhere(api: FakeApi, run: Run) -> None:
    """What was stored of it is kept, the rest of its client is loaded, nothing of its account is withheld."""
    api.organisation.add(A, client_id="1")
    api.organisation.add(A, client_id="2", scopes=["zone.read"], client_name="two", promoted_at="")
    run("sync")
    api.organisation.remove(A, "1")
    api.organisation.change(A, "2", scopes="zone.read zone.edit", client_name="other")
    api.organisation.add(A, client_id="3", scopes=7, client_name="three")

    first, second = (run("sync", "--format", "json") for _ in range(2))

    counts = ("created", "updated", "deleted", "unchanged", "rejected")
    assert [first.json["clients"][name] for name in counts] == [1, 1, 1, 0, 2]
    assert [second.json["clients"][name] for name in counts] == [0, 0, 0, 2, 2]
    assert first.exit_code == second.exit_code == 3
    assert "2 rows were loaded without some of their fields (see rejected_rows)" in first.stderr
    assert rows("SELECT account_id, reason, document FROM rejected_rows ORDER BY document") == [
        (
            A,
            "scopes: not an array but a text; the rest of the row was loaded, and what was stored of the "
            "field before is kept",
            '{"client_id": "2", "scopes": "zone.read zone.edit"}',
        ),
        (
            A,
            "scopes: not an array but a number; the rest of the row was loaded",
            '{"client_id": "3", "scopes": 7}',
        ),
    ]
    assert rows("SELECT client_name, promoted_at FROM oauth_clients ORDER BY 1") == [
        ("other", None),
        ("three", None),
    ]
    assert rows("SELECT changed_fields FROM oauth_client_changes WHERE change = 'updated'") == [
        ('["client_name"]',)
    ]
    assert rows("SELECT client_id, value FROM oauth_clients__scopes") == [("2", "zone.read")]


def test_a_finding_stays_while_its_field_cannot_be_read(api: FakeApi, run: Run) -> None:
    """It is not mended; it is when the field says so, or is gone."""
    api.organisation.add(A, client_id="1", redirect_uris=["http://evil.example/*"])
    run("sync")
    rules = {one["rule_id"] for one in run("findings", "--format", "json").json}
    assert "RU-02" in rules

    api.organisation.change(A, "1", redirect_uris="http://evil.example/*")
    assert run("sync").exit_code == 3
    assert {one["rule_id"] for one in run("findings", "--format", "json").json} == rules
    api.organisation.change(A, "1", redirect_uris=None)
    assert run("sync").exit_code == 0
    assert "RU-02" not in {one["rule_id"] for one in run("findings", "--format", "json").json}


@pytest.mark.parametrize("command", ["sync", "check", "accounts"])
def test_bad_credentials_end_with_exit_code_1(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can list nothing, so the command fails; the token is not shown."""
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "not-the-demo-token")

    done = run(command)

    assert done.exit_code == 1
    assert "CLOUDFLARE_API_TOKEN" in done.stderr
    assert "not-the-demo-token" not in done.stdout + done.stderr


def test_bad_credentials_fail_a_sync_of_named_accounts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 401 for every named account is a failure, not a partial success."""
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "not-the-demo-token")

    done = run("sync", "--account", A, "--format", "json")

    assert (done.exit_code, done.json["status"]) == (1, "failed")


@pytest.mark.parametrize(
    "fault", [faults.forbidden(), faults.error(403, 9109, "Unauthorized to access this")]
)
@pytest.mark.parametrize("command", ["sync", "check"])
def test_credentials_that_may_not_list_accounts_are_told_to_name_them(
    api: FakeApi, run: Run, command: str, fault: Fault
) -> None:
    """A token of one account may read its clients all the same."""
    api.organisation.add(A, client_id="1")
    api.behaviour.fail_next(fault)

    done = run(command)

    assert done.exit_code == 1
    assert "the list of accounts: Cloudflare refused (403" in done.stderr
    assert "name them (--account, CLOUDFLARE_ACCOUNT_ID)" in done.stderr
    assert run(command, "--account", A).exit_code == 0


def test_credentials_that_see_no_account_fail_the_sync(run: Run) -> None:
    """A sync without any account is not a success."""
    done = run("sync")

    assert done.exit_code == 1
    assert "see no account" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "--account", "not-an-id"),
        ("sync", "--exclude-account", "not-an-id"),
        ("sync", "--account", ""),
        ("sync", "--account", " "),
        ("sync", "--account", A, "--exclude-account", A.upper()),
        ("sync", "--account", A, "--account", B, "--exclude-account", B, "--exclude-account", A),
        ("check", "--account", A, "--exclude-account", A),
        ("sync", "--concurrency", "0"),
        ("sync", "--max-delete-fraction", "1.5"),
        ("sync", "--db", "no/such/folder/x.duckdb"),
        ("sync", "--destination", "nowhere"),
        ("sync", "--destination", "snowflake"),
        ("sync", "--destination", "postgres", "--db", "x.duckdb"),
        ("sync", "--dataset", "a b"),
        ("sync", "--format", "xml"),
        ("sync", "--no-such-option"),
        ("changes", "--since", "yesterday"),
        ("check", "--account", "../../user"),
        ("accounts", "--exclude-account", "not-an-id"),
        ("accounts", "--format", "xml"),
        ("nonsense",),
    ],
)
def test_wrong_usage_ends_with_exit_code_2_before_any_request(
    api: FakeApi, run: Run, arguments: tuple[str, ...]
) -> None:
    """No request is sent, no file is created, and standard output stays empty."""
    done = run(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert list(api.requests) == []
    assert [name for name in os.listdir() if name.endswith(".duckdb")] == []


@pytest.mark.parametrize("value", [",", " ", '""', "..", A[1:]])
@pytest.mark.parametrize("command", ["sync", "check"])
def test_a_variable_that_names_no_account_is_wrong_usage(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch, command: str, value: str
) -> None:
    """Nothing is requested or written, and no success is reported over 0 accounts."""
    api.organisation.add(A, client_id="1")
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", value)

    done = run(command)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "account" in done.stderr
    assert list(api.requests) == []
    assert [name for name in os.listdir() if name.endswith(".duckdb")] == []


@pytest.mark.parametrize("command", [("sync",), ("sync", "--dry-run"), ("check",)])
def test_excluding_every_listed_account_is_a_failure(
    api: FakeApi, run: Run, command: tuple[str, ...]
) -> None:
    """It is known only from the list: exit code 1 and a sentence."""
    api.organisation.add(A, client_id="1")
    api.organisation.add_account(B)
    api.organisation.change_account(B, id=B.upper())

    done = run(*command, "--exclude-account", A.upper(), "--exclude-account", B)

    assert done.exit_code == 1
    assert "excluded" in done.stderr


def test_missing_credentials_end_with_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable to set."""
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")

    done = run("sync")

    assert done.exit_code == 2
    assert "CLOUDFLARE_API_TOKEN" in done.stderr


def test_the_legacy_pair_of_email_and_key_is_accepted(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CLOUDFLARE_EMAIL` and `CLOUDFLARE_API_KEY` replace the token."""
    api.organisation.add(A, client_id="1")
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")
    monkeypatch.setenv("CLOUDFLARE_EMAIL", FAKE_EMAIL)
    monkeypatch.setenv("CLOUDFLARE_API_KEY", FAKE_KEY)

    assert run("sync").exit_code == 0


def test_named_accounts_are_read_without_account_discovery(api: FakeApi, run: Run) -> None:
    """With `--account`, `sync` does not request `/accounts`, and keeps the account's stored name."""
    api.organisation.add_account(A, "Production")
    api.organisation.add(A, client_id="1")
    run("sync")
    api.requests.clear()

    done = run("sync", "--account", A.upper())

    assert done.exit_code == 0
    paths = sorted(request.path for request in api.requests)
    assert [path.removeprefix("/client/v4") for path in paths] == [
        f"/accounts/{A}/oauth_clients",
        "/oauth/scopes",
    ]
    assert rows("SELECT account_id, name FROM accounts") == [(A, "Production")]


def test_an_excluded_account_is_not_synced(api: FakeApi, run: Run) -> None:
    """`--exclude-account` leaves it out of `account_syncs`, too."""
    api.organisation.add(A, client_id="1")
    api.organisation.add(B, client_id="2")

    run("sync", "--exclude-account", B)

    assert rows("SELECT account_id FROM account_syncs") == [(A,)]


def test_a_dry_run_reports_and_writes_nothing(api: FakeApi, run: Run) -> None:
    """It creates no DuckDB file, and changes no byte of an existing one."""
    api.organisation.add(A, client_id="1")
    without = run("sync", "--dry-run", "--format", "json")
    existed = Path(DB).exists()
    run("sync")
    api.organisation.change(A, "1", client_name="renamed")
    before = Path(DB).read_bytes()

    done = run("sync", "--dry-run", "--format", "json")

    assert (without.exit_code, without.json["clients"]["baseline"], existed) == (0, 1, False)
    assert (done.exit_code, done.json["clients"]["updated"]) == (0, 1)
    assert Path(DB).read_bytes() == before


def test_check_reports_which_accounts_can_be_read_with_one_request_each(api: FakeApi, run: Run) -> None:
    """It exits with code 3 if some accounts refuse, with 1 if all do, and writes nothing."""
    for number in range(60):
        api.organisation.add(A, client_id=str(number))
    api.organisation.add(B, client_id="1")
    api.behaviour.forbid(B)

    done = run("check", "--format", "json")
    none = run("check", "--account", B)

    assert done.exit_code == 3
    assert [(row["account_id"], row["granted"], row["error_code"]) for row in done.json] == [
        (A, True, None),
        (B, False, 10000),
    ]
    assert none.exit_code == 1
    assert len(list(api.requests)) == 1 + 2 + 1
    assert not Path(DB).exists()


def test_accounts_lists_what_the_credentials_see(api: FakeApi, run: Run) -> None:
    """By id, in every format, with one request and without a dataset."""
    for account in sorted((A, B), reverse=True):
        api.organisation.add_account(account, name=f"=Name of {account}")

    done = run("accounts", "--format", "json")
    table = run("accounts")
    text = run("accounts", "--format", "csv", "--exclude-account", B)
    none = run("accounts", "--exclude-account", A, "--exclude-account", B)

    names = [{"account_id": account, "name": f"=Name of {account}"} for account in sorted((A, B))]
    assert (done.exit_code, done.json) == (0, names)
    assert all(row["name"] in table.stdout for row in names)
    assert list(csv.reader(io.StringIO(text.stdout))) == [["account_id", "name"], [A, f"'=Name of {A}"]]
    assert (none.exit_code, "excluded" in none.stderr) == (1, True)
    assert len(list(api.requests)) == 4
    assert not Path(DB).exists()


def test_accounts_says_what_it_cannot_list(api: FakeApi, run: Run) -> None:
    """An item that is no account is left out and told; the others are listed."""
    api.organisation.add_account(A)
    api.organisation.put_account({"id": "short"})

    done = run("accounts", "--format", "json")

    assert [row["account_id"] for row in done.json] == [A]
    assert "1 accounts could not be taken: id: not 32 hexadecimal characters" in done.stderr


def test_changes_shows_what_was_added_and_removed(api: FakeApi, run: Run) -> None:
    """It shows added and removed elements instead of whole arrays, and old and new values."""
    api.organisation.add(
        A, client_id="1", client_name="App", visibility="private", redirect_uris=["https://a/", "https://b/"]
    )
    run("sync")
    api.organisation.change(A, "1", visibility="public", redirect_uris=["https://b/", "https://c/"])
    run("sync")
    api.organisation.remove(A, "1")
    run("sync")

    table = run("changes").stdout
    log = run("changes", "--format", "json").json

    assert [row["change"] for row in log] == ["baseline", "updated", "deleted"]
    assert log[1]["changed_fields"] == ["redirect_uris", "visibility"]
    assert log[1]["document_before"]["visibility"] == "private"
    assert log[2]["document_after"] is None
    for words in (
        "redirect_uris: + https://c/",
        "redirect_uris: - https://a/",
        "visibility: private → public",
    ):
        assert words in table
    assert "https://b/" not in table
    assert "\\n" not in table


def test_changes_can_be_filtered(api: FakeApi, run: Run) -> None:
    """`--account` and `--since` select the changes."""
    api.organisation.add(A, client_id="1")
    api.organisation.add(B, client_id="2")
    run("sync")

    def clients(*arguments: str) -> list[str]:
        return [row["client_id"] for row in run("changes", "--format", "json", *arguments).json]

    assert sorted(clients("--since", "1h")) == ["1", "2"]
    assert clients("--account", B) == ["2"]
    assert clients("--since", "2999-01-01") == []


def test_no_cell_of_the_csv_is_a_formula(api: FakeApi, run: Run) -> None:
    """A name that a spreadsheet would execute is prefixed with an apostrophe."""
    for number, name in enumerate(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'plain, "quoted"']):
        api.organisation.add(A, client_id=str(number), client_name=name)
    run("sync")

    table = list(csv.DictReader(io.StringIO(run("changes", "--format", "csv").stdout)))

    assert [row["client_name"] for row in table] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'\t=1",
        'plain, "quoted"',
    ]


def test_a_hostile_name_cannot_act_on_the_terminal(api: FakeApi, run: Run) -> None:
    """Control characters are shown escaped, and markup is not interpreted."""
    api.organisation.add(A, client_id="1", client_name="\x1b[31mred[/] [bold]x")
    run("sync")

    output = run("changes").stdout

    assert "\x1b[31m" not in output
    assert "\\x1b[31mred[/] [bold]x" in output


def test_changes_before_any_sync_says_so(run: Run) -> None:
    """Without a dataset it prints no traceback and creates no file."""
    done = run("changes")

    assert (done.exit_code, Path(DB).exists()) == (1, False)
    assert "cloudflare-oauth sync" in done.stderr


def test_progress_off_still_reports_problems(api: FakeApi, run: Run) -> None:
    """`--progress off` silences only what succeeds."""
    api.organisation.add(A, client_id="1")
    api.organisation.add_account(B)
    api.behaviour.forbid(B)

    lines = run("sync", "--progress", "off").stderr.splitlines()

    assert len(lines) == 1
    assert lines[0].startswith(f"forbidden: account {B}: Cloudflare refused (403, code 10000)")


def test_the_token_appears_nowhere(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 10: no output and no file contains it, after successful and after failed commands."""
    token = "s3cret-t0ken-that-must-not-be-found"
    api.behaviour.tokens.add(token)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", token)
    api.organisation.add(A, client_id="1", client_secret="hushhush", nested={"refresh_token": "hushhush"})
    api.organisation.put(A, {"registration_access_token": "hushhush"})

    outputs = [run("sync"), run("check"), run("changes", "--format", "json")]
    api.behaviour.tokens.clear()
    outputs += [run("sync"), run("sync", "--account", A), run("check")]
    outputs.append(run("sync", "--db", str(tmp_path)))

    assert [done.exit_code for done in outputs] == [3, 0, 0, 1, 1, 1, 2]
    for done in outputs:
        assert not re.search(f"{token}|hushhush", done.stdout + done.stderr)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == DB for path in files)
    for path in files:
        content = path.read_bytes()
        assert token.encode() not in content, path
        assert b"hushhush" not in content, path


def test_waits_for_the_quota_are_reported_per_account(api: FakeApi, run: Run) -> None:
    """`account_syncs` and the summary hold the seconds; the user is told as soon as a wait begins."""
    accounts = [account_id(f"account-{number}") for number in range(8)]
    for account in accounts:
        api.organisation.add(account, client_id="client")
    api.behaviour.quota = quota.RateLimit(6, 2)

    done = run("sync", "--format", "json")

    summary = done.json
    assert re.search(
        r"^waiting [12] s: \d of 6 requests are left, kept for your other tools$", done.stderr, re.M
    )
    waited = dict(rows("SELECT account_id, waited_seconds FROM account_syncs"))
    assert waited.keys() == set(accounts)
    assert all(0 <= seconds < 10 for seconds in waited.values())
    assert sum(seconds > 0.5 for seconds in waited.values()) >= 2
    assert summary["waited_seconds"] > 0.5


def test_retries_are_counted(api: FakeApi, run: Run) -> None:
    """The summary holds their number, and the user is told the reason for a wait."""
    api.organisation.add(A, client_id="client")
    api.behaviour.fail_next(faults.error(500), faults.rate_limited(1))

    done = run("sync", "--format", "json")

    counted = {name: done.json[name] for name in ("status", "requests", "retries", "rate_limited")}
    assert counted == {"status": "complete", "requests": 5, "retries": 2, "rate_limited": 1}
    assert "waiting 1 s: Cloudflare's rate limit (429)" in done.stderr


def nested(kind: str, depth: int) -> Any:
    """Return a value of arrays or objects, nested to this depth."""
    value: Any = "deep"
    for _ in range(depth):
        value = [value] if kind == "arrays" else {"in": value}
    return value


@pytest.mark.variants(4)
@pytest.mark.parametrize(
    ("fields", "is_loaded"),
    [
        ({"new": nested("arrays", 10)}, True),
        ({"new": nested("objects", 10)}, True),
        ({"new": nested("arrays", 30)}, False),
        ({"new": nested("arrays", 100)}, False),
        ({"new": nested("objects", 100)}, False),
        ({"new": nested("objects", 400)}, False),
        ({"a" * 100: ["b"]}, True),
        ({"a" * 250: ["b"]}, False),
        ({"a" * 250: "b"}, True),
    ],
    ids=lambda value: str(value)[:25],
)
def test_a_field_that_dlt_cannot_load_is_rejected(
    api: FakeApi, run: Run, fields: dict[str, Any], is_loaded: bool
) -> None:
    """It is nested too deeply or an array with too long a name; the rest of its client is loaded."""
    api.organisation.add(A, client_id="strange", **fields)
    api.organisation.add(A, client_id="usual")

    done = run("sync", "--format", "json")

    assert done.exit_code == (0 if is_loaded else 3), done.stderr
    assert done.json["clients"]["rejected"] == (0 if is_loaded else 1)
    stored = [client for (client,) in rows("SELECT client_id FROM oauth_clients ORDER BY 1")]
    # What is too deep to be looked through costs its client.
    is_bottomless = fields.get("new") == nested("objects", 400)
    assert stored == (["usual"] if is_bottomless else ["strange", "usual"])
    in_part = len(rows("SELECT * FROM rejected_rows WHERE reason LIKE '%the rest of%'"))
    assert in_part == (not is_loaded and not is_bottomless)


def test_an_unusable_folder_is_wrong_usage(api: FakeApi, run: Run) -> None:
    """The message holds the system's reason, and no request is sent."""
    done = run("sync", "--db", f"{'x' * 300}/clients.duckdb")

    assert done.exit_code == 2
    assert "cannot be used: File name too long" in done.stderr
    assert not api.requests
