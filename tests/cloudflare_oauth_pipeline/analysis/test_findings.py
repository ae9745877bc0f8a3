"""Findings as users see them: the command, waivers, the views and the findings of the demo."""

import csv
import io
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth import SyncSettings
from cloudflare_oauth.records.tables import ARRAYS
from cloudflare_oauth_pipeline.analysis.findings import read_findings
from cloudflare_oauth_pipeline.analysis.views import load_views
from cloudflare_oauth_pipeline.analysis.waivers import Waiver
from cloudflare_oauth_pipeline.demo.organisation import demo_organisation
from cloudflare_oauth_pipeline.destinations.dataset import translated
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_reading
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id, faults
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.commands import DB, Run, rows

ACCOUNT = account_id("one")
# Some rules depend on how long a state has lasted, and the demo's clients are dated relative to this moment.
DEMO_NOW = "2026-11-23T12:00:00+00:00"
DEMO_FINDINGS = {
    "Bookmarklet": "RU-09",
    "Board report": "",
    "Cloudfare Dashboard Login": "ID-05",
    "Cloudflare Support Assistant": "ID-05",
    "dev - do not use": "ID-07",
    "Dock planner": "ID-04",
    "Driver handbook": "AU-01 RU-07",
    "Embed widget": "RT-01",
    "Everything importer": "SC-01",
    "HaIden Deploy Console": "ID-01 ID-02 ID-05 ID-06",
    "Halden Deploy Console": "ID-05",
    "H\u0430lden Deploy Console": "ID-05",
    "Inline page": "RU-09",
    "Insights": "ID-01 ID-06",
    "Legacy importer": "RU-01",
    "Local console": "RU-05 RU-06",
    "Migration tool 2025": "SC-01",
    "Newsroom share button": "RU-11",
    "Old SPA login": "AU-01 RT-01 RT-03",
    "Onboarding wizard": "SC-01",
    "Partner connect": "ID-01 ID-02 ID-06",
    "Path playground": "RU-02",
    "Payout partner portal": "RU-06",
    "Player statistics": "CO-01 CO-03",
    "Press kit": "ID-01 ID-02",
    "Preview deployments": "RU-02",
    "Purge widget": "AU-01 AU-02",
    "Reconciliation": "RU-12",
    "Report mailer": "ID-03 RU-12",
    "Rocket loader": "SC-02",
    "Route planner": "LO-01",
    "Sandboxed frame": "CO-01 CO-02 CO-03",
    "Sign-in bridge": "RU-13",
    "Single page demo": "RU-03",
    "Store manager mobile": "AU-01 AU-02",
    "Storybook login": "RU-05 RU-06",
    "Tablet kiosk": "AU-01",
    "terraform test app": "ID-07",
    "Theme editor": "RU-01",
    "Voucher login": "RU-11",
    "Warehouse gateway": "RU-12",
    "Weekend project": "ID-03",
    "Zonewatch": "ID-01 ID-02",
    "配送ダッシュボード": "SC-02",
}


def test_the_demo_has_exactly_the_findings_known_in_advance(tmp_path: Path) -> None:
    """Each client has the rules listed for it; an ordinary client has a finding only for a shared name."""
    target = Target(db=tmp_path / "demo.duckdb", pipelines_dir=tmp_path / "dlt")
    with FakeApi(demo_organisation()) as api:
        sync(
            target,
            SyncSettings(
                api_token=FAKE_TOKEN, base_url=api.base_url, observed_at=datetime.fromisoformat(DEMO_NOW)
            ),
        )
    query = load_views()["oauth_client_findings"].select()
    query = query.replace("CURRENT_TIMESTAMP", f"CAST('{DEMO_NOW}' AS TIMESTAMPTZ)")
    found: dict[str, set[str]] = defaultdict(set)
    with open_for_reading(target) as (pipeline, _), pipeline.sql_client() as client:
        for row in client.execute_sql(translated(query, client)) or ():
            found[row[4]].add(row[0])

    expected = {name: set(rules.split()) for name, rules in DEMO_FINDINGS.items() if rules}
    organisation = demo_organisation()
    visibilities: dict[str | None, list[str | None]] = defaultdict(list)
    for account in organisation.account_ids():
        for client in organisation.clients(account):
            visibilities[client.get("client_name")].append(client.get("visibility"))
    # A name is not used twice in one account, and the same one in several matters if a client is public.
    shared = {name: {"ID-05"} for name, those in visibilities.items() if len(those) > 1 and "public" in those}
    assert shared
    assert not shared.keys() & expected.keys()
    assert dict(found) == expected | shared


@pytest.fixture
def risky(api: FakeApi, run: Run) -> None:
    """A dataset with a critical, a high and a low finding, and a name that is a spreadsheet formula."""
    api.organisation.add(
        ACCOUNT, client_id="1", client_name="=cmd|' /C calc'!A1", redirect_uris=["https://*.a.example/"]
    )
    api.organisation.add(ACCOUNT, client_id="2", client_name="Two", redirect_uris=["http://a.example/"])
    api.organisation.add(
        account_id("two"),
        client_id="3",
        redirect_uris=["http://localhost/"],
        token_endpoint_auth_method="none",
    )
    assert run("sync").exit_code == 0


def write_waivers(*waivers: str) -> None:
    Path("waivers.toml").write_text("\n".join(f"[[waiver]]\n{waiver}" for waiver in waivers))


@pytest.mark.usefixtures("risky")
def test_findings_are_shown_the_worst_first_with_a_remediation(run: Run) -> None:
    """The table, JSON and CSV show the same findings; the table adds what to do."""
    shown = run("findings")
    found = run("findings", "--format", "json")
    lines = list(csv.DictReader(io.StringIO(run("findings", "--format", "csv").stdout)))

    assert shown.exit_code == found.exit_code == 0
    assert shown.stdout.index("RU-02") < shown.stdout.index("RU-01") < shown.stdout.index("RU-05")
    assert "Remediation: Register every redirect URI in full." in shown.stdout
    assert "3 findings: 1 critical, 1 high, 1 low" in shown.stdout
    assert [(row["rule_id"], row["severity"], row["client_id"]) for row in found.json] == [
        ("RU-02", "critical", "1"),
        ("RU-01", "high", "2"),
        ("RU-05", "low", "3"),
    ]
    assert found.json[1] == {
        "rule_id": "RU-01",
        "severity": "high",
        "account_id": ACCOUNT,
        "client_id": "2",
        "client_name": "Two",
        "subject": "http://a.example/",
        "detail": "unencrypted HTTP to a.example",
        "reference": "RFC 9700 §2.6; OAuth 2.1 §1.5",
        "waived": False,
        "waived_reason": None,
    }
    assert list(lines[0]) == list(found.json[0])
    assert lines[0]["client_name"] == "'=cmd|' /C calc'!A1"


@pytest.mark.usefixtures("risky")
def test_findings_can_be_narrowed_and_can_fail_a_pipeline(run: Run) -> None:
    """`--min-severity` and `--account` narrow the output; `--fail-on` also counts findings not shown."""
    assert [
        row["client_id"] for row in run("findings", "--min-severity", "high", "--format", "json").json
    ] == ["1", "2"]
    assert [
        row["client_id"] for row in run("findings", "--account", account_id("two"), "--format", "json").json
    ] == ["3"]
    assert run("findings", "--fail-on", "critical").exit_code == 4
    assert run("findings", "--fail-on", "high", "--min-severity", "critical").exit_code == 4
    assert run("findings", "--fail-on", "medium", "--account", account_id("two")).exit_code == 0
    assert run("findings", "--fail-on", "low", "--account", account_id("two")).exit_code == 4
    assert run("findings", "--fail-on", "terrible").exit_code == 2


def test_findings_of_nothing(run: Run, api: FakeApi) -> None:
    """A missing dataset is an error that says what to do; a dataset without clients has no findings."""
    missing = run("findings")
    api.organisation.add_account(ACCOUNT)
    run("sync")

    assert (missing.exit_code, "cloudflare-oauth sync" in missing.stderr) == (1, True)
    assert run("findings").stdout == "0 findings\n"
    assert run("findings", "--format", "json").json == []


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    "fault", [faults.forbidden(), faults.not_found(), faults.error(400), faults.other_status(206)], ids=repr
)
def test_nothing_ever_read_is_no_proof_of_no_findings(run: Run, api: FakeApi, fault: faults.Fault) -> None:
    """`--fail-on` exits 3 until an account was read completely once, and 0 or 4 from then on."""
    other = account_id("two")
    api.organisation.add(ACCOUNT, client_id="1")
    api.organisation.add(other, client_id="2")
    for account in (ACCOUNT, other):
        api.behaviour.break_(account, fault)
    run("sync")

    never = run("findings", "--fail-on", "low")
    shown = run("findings", "--format", "json")
    api.behaviour.allow(other)
    run("sync")

    assert never.exit_code == 3
    assert "no account was ever read completely" in never.stderr
    assert (shown.exit_code, shown.json) == (0, [])
    assert run("findings", "--fail-on", "critical").exit_code == 0
    assert run("findings", "--fail-on", "critical", "--account", other.upper()).exit_code == 0
    assert run("findings", "--fail-on", "critical", "--account", ACCOUNT).exit_code == 3

    api.behaviour.break_(other, fault)
    run("sync")
    assert run("findings", "--fail-on", "critical").exit_code == 0


@pytest.mark.usefixtures("risky")
def test_a_waiver_may_name_its_account_in_capitals(run: Run) -> None:
    """As every account id that comes in."""
    write_waivers(f'rule = "RU-01"\naccount = "{ACCOUNT.upper()}"\nreason = "legacy"')

    assert [row["rule_id"] for row in run("findings", "--format", "json").json if row["waived"]] == ["RU-01"]


@pytest.mark.usefixtures("risky")
def test_a_waiver_shows_its_reason_and_no_longer_fails(run: Run) -> None:
    """Waivers match by rule, account, client and subject pattern, in the view only from the next sync on."""
    today = datetime.now(UTC).date()
    quoted = 'It\'s \\"ours\\"; until 5% left'
    write_waivers(
        f'rule = "RU-02"\nsubject = "https://*.a.*"\nuntil = {today}\nreason = "{quoted}"',
        f'rule = "RU-01"\naccount = "{ACCOUNT}"\nclient = "2"\nreason = "legacy"',
        f'rule = "RU-05"\naccount = "{ACCOUNT}"\nreason = "another account"',
    )

    found = {row["rule_id"]: row["waived_reason"] for row in run("findings", "--format", "json").json}
    stored = "SELECT rule_id, waived_reason FROM oauth_client_findings WHERE waived"
    before = rows(stored)
    run("sync")

    assert found == {"RU-02": 'It\'s "ours"; until 5% left', "RU-01": "legacy", "RU-05": None}
    assert (before, sorted(rows(stored))) == ([], [("RU-01", "legacy"), ("RU-02", found["RU-02"])])
    assert run("findings", "--fail-on", "medium").exit_code == 0
    assert "1 findings: 1 low, 2 waived" in run("findings").stdout
    assert rows("SELECT finding_count, worst_severity FROM oauth_client_overview ORDER BY client_id") == [
        (0, None),
        (0, None),
        (1, "low"),
    ]


@pytest.mark.usefixtures("risky")
@pytest.mark.parametrize(
    "waiver",
    [
        'until = 2026-01-01\nreason = "expired"',
        'client = "2"\nreason = "another client"',
        'subject = "https://_.a.example/"\nreason = "an underscore is no pattern"',
        'subject = "a.example"\nreason = "the whole subject has to match"',
    ],
)
def test_a_waiver_covers_nothing_else(run: Run, waiver: str) -> None:
    """A waiver that is expired or names another client or subject does not suppress a finding."""
    write_waivers(f'rule = "RU-02"\n{waiver}')

    assert run("findings", "--fail-on", "critical").exit_code == 4


@pytest.mark.usefixtures("risky")
@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_waivers_without_effect_are_named_on_standard_error(run: Run, output: str) -> None:
    """Whatever the format, the account and the severity that are shown; standard output stays as it is."""
    other = account_id("two")
    narrowed = ("--account", other, "--min-severity", "low", "--format", output)
    plain = run("findings", *narrowed)
    write_waivers(
        'rule = "RU-02"\nuntil = 2026-01-01\nreason = "expired"',
        f'rule = "RU-01"\naccount = "{ACCOUNT.upper()}"\nsubject = "http:*"\nreason = "another account"',
        'rule = "RU-01"\nsubject = "http://b.example/"\nreason = "gone"',
        'rule = "RU-05"\nclient = "2"\nreason = "another client"',
        'rule = "SE-01"\nuntil = 2099-01-01\nreason = "never fired"',
    )

    done = run("findings", *narrowed)

    said = " ".join(done.stderr.split())
    assert (plain.exit_code, plain.stderr, done.exit_code) == (0, "", 0)
    assert done.stdout == plain.stdout
    assert said.count("warning:") == 4
    assert "waiver 1 (RU-02) expired after 2026-01-01" in said
    assert "waiver 3 (RU-01, subject 'http://b.example/') matches no finding" in said
    assert "waiver 4 (RU-05, client '2') matches no finding" in said
    assert "waiver 5 (SE-01) matches no finding" in said


@pytest.mark.usefixtures("risky")
@pytest.mark.parametrize(("idle", "lines"), [(0, 0), (5, 5), (6, 6), (40, 6)])
def test_many_waivers_without_effect_take_six_lines(run: Run, idle: int, lines: int) -> None:
    """Five of them, and how many more there are."""
    write_waivers(*[f'rule = "SE-01"\nclient = "{number}"\nreason = "gone"' for number in range(idle)])

    said = run("findings", "--format", "json").stderr

    assert said.count("warning:") == lines
    assert (f"{idle - 5} more waivers" in said) == (idle > 5)


def test_nothing_ever_read_is_no_proof_that_a_waiver_matches_nothing(run: Run, api: FakeApi) -> None:
    """Only an expired one is named then."""
    api.organisation.add(ACCOUNT, client_id="1", redirect_uris=["http://a.example/"])
    api.behaviour.forbid(ACCOUNT)
    run("sync")
    write_waivers(
        'rule = "RU-01"\nreason = "needed once it is read"',
        'rule = "RU-05"\nuntil = 2026-01-01\nreason = "old"',
    )

    said = run("findings").stderr

    assert said.count("warning:") == 1
    assert "waiver 2 (RU-05) expired" in said


@pytest.mark.parametrize("any_destination", ["duckdb", "postgres"])
def test_what_a_waiver_matches_is_what_the_view_waives(
    api: FakeApi, run: Run, request: pytest.FixtureRequest, any_destination: str
) -> None:
    """The patterns of SQL, of regular expressions and line breaks in a subject have no meaning."""
    if any_destination == "postgres":
        environment = request.getfixturevalue("monkeypatch")
        uri = request.getfixturevalue("server").emptied("waivers").uri
        environment.setenv("DESTINATION__POSTGRES__CREDENTIALS", uri)
    uris = ["http://a.example/", "http://a_example/%", "http://A.example/!x", "http://a.example/(\\d+)?\n[b]"]
    api.organisation.add(ACCOUNT, client_id="1", redirect_uris=uris)
    run("sync", "--destination", any_destination)
    target = Target(destination=any_destination) if any_destination == "postgres" else Target(db=Path(DB))
    subjects = [
        None,
        *uris,
        "*",
        "http://*",
        "*[b]",
        "http://a*",
        "*_*",
        "*%",
        "*!*",
        "*\\d*",
        "a.example",
        "",
        "**x",
    ]

    for subject in subjects:
        waiver = Waiver(rule="RU-01", reason="x", subject=subject)
        found = read_findings(target, waivers=[waiver])
        assert [waiver.matches(row) for row in found.rows] == [row["waived"] for row in found.rows], subject
        assert bool(found.waivers_without_effect) == (not any(row["waived"] for row in found.rows))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not toml", "cannot be read"),
        ('waivers = "?"', "[[waiver]]"),
        ("[waiver]\nrule = 'RU-01'", "[[waiver]]"),
        ("[[waiver]]\nreason = 'x'", "waiver 1: rule is missing"),
        ("[[waiver]]\nrule = 'RU-01'", "waiver 1: reason is missing"),
        ("[[waiver]]\nrule = 'RU-99'\nreason = 'x'", "there is no rule 'RU-99'"),
        ("[[waiver]]\nrule = 'RU-01'\nreason = 'x'\nuntil = '2027-01-01'", "until must be a date"),
        ("[[waiver]]\nrule = 'RU-01'\nreason = 'x'\nowner = 'me'", "unknown key 'owner'"),
        ("[[waiver]]\nrule = 1\nreason = 'x'", "rule must be a string"),
    ],
)
def test_invalid_waivers_are_a_usage_error(run: Run, api: FakeApi, text: str, complaint: str) -> None:
    """The error is reported before the first request."""
    Path("waivers.toml").write_text(text)

    done = run("sync")

    assert done.exit_code == 2
    assert complaint in " ".join(done.stderr.split())
    assert not api.requests
    assert run("sync", "--waivers", "elsewhere.toml").exit_code == 2


@pytest.mark.usefixtures("risky")
def test_views_are_recreated_only_if_they_change(run: Run) -> None:
    """A view whose comment has the current fingerprint is left alone, whatever it selects."""
    with duckdb.connect(DB) as connection:
        for view in load_views():
            comment = f"SELECT comment FROM duckdb_views() WHERE view_name = '{view}'"
            (made,) = connection.execute(comment).fetchone() or ()
            connection.execute(f"CREATE OR REPLACE VIEW cloudflare.{view} AS SELECT 1 AS mark")
            connection.execute(f"COMMENT ON VIEW cloudflare.{view} IS '{made.replace(chr(39), chr(39) * 2)}'")
    run("sync")
    left_alone = [view for view in load_views() if rows(f"SELECT * FROM {view}") == [(1,)]]
    write_waivers('rule = "RU-02"\nreason = "x"')
    run("sync")

    assert left_alone == list(load_views())
    assert rows("SELECT rule_id FROM oauth_client_findings WHERE waived") == [("RU-02",)]
    assert rows("SELECT * FROM account_health") == [(1,)]


@pytest.mark.usefixtures("risky")
def test_every_view_says_what_a_row_is() -> None:
    """The comment in the database describes a row, and the file describes every column."""
    comments = dict(rows("SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'cloudflare'"))

    for name, view in load_views().items():
        assert comments[name].startswith("Each row is ")
        assert [row[0] for row in rows(f"DESCRIBE {name}")] == list(view.columns)


def test_a_view_that_cannot_be_created_is_reported_and_makes_the_sync_partial(run: Run, api: FakeApi) -> None:
    """A table with the name of a view is named, and the other views still work."""
    api.organisation.add(ACCOUNT, client_id="1", redirect_uris=["http://a.example/"])
    run("sync")
    with duckdb.connect(DB) as connection:
        connection.execute("DROP VIEW cloudflare.oauth_client_overview")
        connection.execute("CREATE TABLE cloudflare.oauth_client_overview (mine INTEGER)")

    done = run("sync")

    assert done.exit_code == 3
    assert "cloudflare.oauth_client_overview is a table that this program did not make" in " ".join(
        done.stderr.split()
    )
    assert rows("SELECT rule_id FROM oauth_client_findings") == [("RU-01",)]


def test_account_health_shows_the_last_sync_and_the_last_complete_one(run: Run, api: FakeApi) -> None:
    """An account that has become unreadable keeps the time of its last complete sync."""
    for account in (ACCOUNT, account_id("two")):
        api.organisation.add(account, client_id="1")
    run("sync")
    api.behaviour.forbid(account_id("two"))
    run("sync")

    query = "SELECT account_id, status, client_count, last_complete_at < finished_at FROM account_health"
    health = {account: state for account, *state in rows(query)}
    assert health == {ACCOUNT: ["complete", 1, False], account_id("two"): ["forbidden", 1, True]}


@pytest.mark.parametrize("wrong", [timedelta(days=1), timedelta(days=3_000), timedelta(days=-3_000)])
def test_a_wrong_clock_hides_neither_health_nor_changes_nor_findings(
    api: FakeApi, run: Run, tmp_path: Path, wrong: timedelta
) -> None:
    """The second of three syncs has a clock that is ahead or behind; the last one is the one that counts."""
    target = Target(db=tmp_path / DB, pipelines_dir=tmp_path / "pipelines")
    now = datetime.now(UTC)
    api.organisation.add(ACCOUNT, client_id="1", client_name="0", has_rotated_secret=True)
    for number, when in enumerate((now - timedelta(days=45), now + wrong, now - timedelta(days=10))):
        api.organisation.change(ACCOUNT, "1", client_name=str(number), has_rotated_secret=number != 1)
        settings = SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url, observed_at=when)
        sync(target, settings)

    last = "SELECT sync_id, finished_at FROM account_syncs ORDER BY sync_number DESC LIMIT 1"
    assert rows("SELECT sync_id, last_complete_at FROM account_health") == rows(last)
    assert [change["client_name"] for change in run("changes", "--format", "json").json] == ["0", "1", "2"]
    since = run("changes", "--since", "12d", "--format", "json").json
    expected = ["2"] if wrong < timedelta(0) else ["1", "2"]
    assert [change["client_name"] for change in since] == expected
    # The secret that was replaced last is ten days old, not 45 and not unborn.
    query = "SELECT rule_id, severity FROM oauth_client_findings WHERE rule_id = 'SE-01'"
    assert rows(query) == [("SE-01", "medium")]


@pytest.mark.scale
@pytest.mark.timed
def test_views_over_200_000_clients_answer_within_5_seconds(run: Run, api: FakeApi) -> None:
    """The dataset is the demo's organisation, multiplied to more than 200,000 clients."""
    for account in demo_organisation().account_ids():
        for client in demo_organisation().clients(account):
            api.organisation.put(account, client)
    assert run("sync").exit_code == 0
    tables = ["oauth_clients", "oauth_client_changes", *(f"oauth_clients__{array}" for array in ARRAYS)]
    with duckdb.connect(DB) as connection:
        connection.execute("SET search_path = 'cloudflare'")
        for table in tables:
            keys = "client_id || '-' || copy AS client_id"
            if table == "oauth_client_changes":
                keys += ", change_id || '-' || copy AS change_id"
            connection.execute(
                f"INSERT INTO {table} SELECT t.* REPLACE ({keys}) FROM {table} AS t, range(1, 642) AS r(copy)"
            )
    assert rows("SELECT count(*) > 200_000 FROM oauth_clients") == [(True,)]

    with duckdb.connect(DB, read_only=True) as connection:
        connection.execute("SET search_path = 'cloudflare'")
        for name in load_views():
            seconds = []
            # The best of three runs, because other tests may run at the same time.
            while not seconds or (min(seconds) >= 5 and len(seconds) < 3):
                started = time.monotonic()
                connection.execute(f"SELECT * FROM {name}").fetchall()
                seconds.append(time.monotonic() - started)
            assert min(seconds) < 5, name


def test_rotation_is_dated_by_the_log_not_by_the_sync(api: FakeApi, tmp_path: Path) -> None:
    """The age of a rotated secret counts from the logged change, not from later syncs that saw no change."""
    target = Target(db=tmp_path / "log.duckdb", pipelines_dir=tmp_path / "dlt")
    api.organisation.add(ACCOUNT, client_id="1", has_rotated_secret=True)
    now = datetime.now(UTC)
    for days in (45, 20, 0):
        sync(
            target,
            SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url, observed_at=now - timedelta(days=days)),
        )

    found = rows("SELECT rule_id, severity FROM oauth_client_findings", db=str(target.db))
    assert found == [("SE-01", "high")]
