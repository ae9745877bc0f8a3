"""Each rule against labelled clients, on DuckDB and PostgreSQL: it fires, passes or is not evaluable."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth import SyncSettings
from cloudflare_oauth_pipeline.analysis import rules
from cloudflare_oauth_pipeline.analysis.findings import read_findings
from cloudflare_oauth_pipeline.analysis.rules import SEVERITIES, load_rules, parse_rule
from cloudflare_oauth_pipeline.analysis.views import load_views
from cloudflare_oauth_pipeline.destinations.dataset import translated
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_reading
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, Organisation, account_id
from cloudflare_oauth_pipeline.fake_api.scopes import OAUTH_SCOPES
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.labelled import LABELLED, ORDINARY, OTHER_SCOPES, REDIRECT_RULES, REDIRECTS, SECRETLESS
from tests.support.warehouses import Postgres

ACCOUNT = account_id("labelled")
ELSEWHERE = account_id("elsewhere")
NOW = datetime.now(UTC)
RULES = {rule.id: rule for rule in load_rules()}


def moments(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace an age such as "3 days" in a `…_at` field with the moment that long ago."""
    return {
        name: (NOW - timedelta(days=int(value.split()[0]))).isoformat()
        if name.endswith("_at") and isinstance(value, str)
        else value
        for name, value in fields.items()
    }


def labelled_clients() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Yield each labelled client: its id, and its fields now, 10 days ago and 100 days ago."""
    for number, (uri, _, _) in enumerate(REDIRECTS):
        fields = ORDINARY | {"redirect_uris": [uri]}
        yield f"redirect-{number}", fields, fields, fields
        yield f"redirect-{number}-secretless", fields | SECRETLESS, fields | SECRETLESS, fields | SECRETLESS
    for rule_id, labelled in LABELLED.items():
        kinds = {
            "fires": [fields for _, fields in labelled.fires],
            "passes": labelled.passes,
            "silent": labelled.silent,
        }
        for kind, clients in kinds.items():
            for number, fields in enumerate(clients):
                name = f"{kind}-{number}"
                before = labelled.before.get(name, {})
                named = {"client_name": f"{rule_id} {name}"} if rule_id != "ID-05" else {}
                now = moments(ORDINARY | named | fields)
                yield (
                    f"{rule_id}-{name}",
                    now,
                    now | before,
                    now | before | labelled.long_before.get(name, {}),
                )


def account_of(client_id: str) -> str:
    """The account in which a labelled client lies."""
    rule_id, name = client_id[:5], client_id[6:]
    return ELSEWHERE if rule_id in LABELLED and name in LABELLED[rule_id].elsewhere else ACCOUNT


@pytest.fixture(scope="module")
def postgres(server: Postgres) -> str:
    """The URI of an empty PostgreSQL database for this module."""
    return server.emptied("rules").uri


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A dataset after three syncs of the labelled clients: 100 days ago, 10 days ago and now."""
    folder = tmp_path_factory.mktemp("rules")
    if request.param == "duckdb":
        target = Target(db=folder / "rules.duckdb", pipelines_dir=folder / "dlt")
    else:
        target = Target(destination="postgres", pipelines_dir=folder / "dlt")
    with pytest.MonkeyPatch.context() as patched, FakeApi(Organisation()) as api:
        if request.param == "postgres":
            uri = request.getfixturevalue("postgres")
            patched.setenv("DESTINATION__POSTGRES__CREDENTIALS", uri)
        for scope, category in OTHER_SCOPES.items():
            entry = {"id": scope, "name": scope, "category": category, "scopes": []}
            api.organisation.scopes.append(entry)
        for step, days in enumerate((100, 10, 0)):
            for client_id, now, before, long_before in labelled_clients():
                fields = (long_before, before, now)[step]
                if step == 0:
                    api.organisation.add(account_of(client_id), client_id=client_id, **fields)
                else:
                    api.organisation.change(account_of(client_id), client_id, **fields)
            seen = NOW - timedelta(days=days)
            summary = sync(
                target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url, observed_at=seen)
            )
            assert (summary.status, summary.clients["rejected"]) == ("complete", 0)
        yield target


@pytest.fixture(scope="module")
def fired(target: Target) -> dict[str, dict[str, set[str]]]:
    """The severities of the findings, by rule and client."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in read_findings(target).rows:
        found[row["rule_id"]][row["client_id"]].add(row["severity"])
    return found


def test_redirects_fire_exactly_the_rules_they_should(fired: dict[str, dict[str, set[str]]]) -> None:
    """Each URI, look-alikes included, is judged for a confidential client and for one without a secret."""
    for number, (uri, confidential, secretless) in enumerate(REDIRECTS):
        for client_id, expected in (
            (f"redirect-{number}", confidential),
            (f"redirect-{number}-secretless", secretless),
        ):
            found = {rule for rule in REDIRECT_RULES if client_id in fired[rule]}
            assert found == set(expected.split()), (uri, client_id)


@pytest.mark.parametrize("rule_id", LABELLED)
def test_a_rule_fires_where_it_must_and_nowhere_else(
    fired: dict[str, dict[str, set[str]]], rule_id: str
) -> None:
    """A rule reports the labelled severity and nothing for clients that pass or are not evaluable."""
    expected = {
        f"{rule_id}-fires-{number}": {severity}
        for number, (severity, _) in enumerate(LABELLED[rule_id].fires)
    }

    assert {id_: found for id_, found in fired[rule_id].items() if id_.startswith(rule_id)} == expected


@pytest.mark.parametrize("rule_id", LABELLED)
def test_a_client_without_a_required_field_is_not_evaluable(target: Target, rule_id: str) -> None:
    """Such a client neither passes nor fails, and every other client is evaluable."""
    query = f"SELECT c.client_id FROM oauth_clients AS c WHERE NOT ({RULES[rule_id].is_evaluable})"
    with open_for_reading(target) as (pipeline, _), pipeline.sql_client() as client:
        rows = client.execute_sql(translated(query, client)) or ()

    silent = {f"{rule_id}-silent-{number}" for number in range(len(LABELLED[rule_id].silent))}
    assert {row[0] for row in rows if row[0].startswith(rule_id)} == silent


def test_every_rule_is_labelled() -> None:
    """Every rule has labelled clients; each redirect rule has at least a dozen, some of which fire."""
    assert {*LABELLED, *REDIRECT_RULES} == RULES.keys()
    for rule_id in REDIRECT_RULES:
        labels = [rule_id in confidential for _, confidential, _ in REDIRECTS]
        assert len(labels) >= 12
        assert any(labels)
    severities = Counter(severity for labelled in LABELLED.values() for severity, _ in labelled.fires)
    assert set(severities) == set(SEVERITIES)


def test_every_severity_of_a_rule_is_labelled() -> None:
    """A rule with several severities has a labelled client for each, except SE-01 (tested with the log)."""
    for rule_id, labelled in LABELLED.items():
        said = {severity for severity, _ in labelled.fires}
        assert said <= set(RULES[rule_id].severities)
        assert rule_id == "SE-01" or said == set(RULES[rule_id].severities)


def test_views_say_the_same_on_both_destinations(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views contain the same rows on DuckDB and PostgreSQL after a sync of the same organisation."""
    from cloudflare_oauth_pipeline.demo.organisation import demo_organisation

    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    folder = tmp_path_factory.mktemp("views")
    targets = [
        Target(db=folder / "clients.duckdb", pipelines_dir=folder / "dlt", dataset="views"),
        Target(destination="postgres", pipelines_dir=folder / "dlt2", dataset="views"),
    ]
    content: list[dict[str, list[str]]] = []
    with FakeApi(demo_organisation()) as api:
        for target in targets:
            sync(target, SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url))
            with open_for_reading(target) as (pipeline, _), pipeline.sql_client() as client:
                read = {}
                for name, view in load_views().items():
                    unstable = ("sync_id", "finished_at", "last_complete_at")
                    columns = ", ".join(column for column in view.columns if column not in unstable)
                    rows = client.execute_sql(translated(f"SELECT {columns} FROM {name}", client)) or ()
                    read[name] = sorted(str([utc(value) for value in row]) for row in rows)
                content.append(read)

    assert content[0] == content[1]
    assert {name: len(rows) for name, rows in content[0].items()} == {
        "oauth_client_findings": len(read_findings(targets[0]).rows),
        "oauth_rule_coverage": len(RULES),
        "oauth_client_overview": 312,
        "account_health": 12,
    }


def utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def test_the_catalogue_has_the_sensitive_category() -> None:
    """SC-01 refers to this category by name: if it were renamed, the rule would no longer fire."""
    assert "Account & Billing" in {scope["category"] for scope in OAUTH_SCOPES}


VALID = (Path(rules.__file__).parent / "redirect_uris" / "RU-01-unencrypted-redirect.sql").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("XX-01-a.sql", "SELECT 1"),
        ("XX-02-a.sql", VALID),
        ("XX-03-a.sql", "-- id: XX-03\n-- title: a\n-- severity: terrible\n"),
        ("RU-01-terrible.sql", VALID.replace("-- severity: high", "-- severity: terrible")),
        ("RU-01-why.sql", VALID.replace("-- risk:", "-- why:")),
        ("RU-01-order.sql", VALID.replace("-- id: RU-01\n", "") + "\n-- id: RU-01\n"),
        ("RU-01.sql", VALID),
        ("RU-01-.sql", VALID),
        ("RU-01-Unencrypted.sql", VALID),
        ("RU-01-two_words.sql", VALID),
        ("RU-01-two--words.sql", VALID),
        ("RU-1-unencrypted.sql", VALID),
    ],
)
def test_a_rule_with_a_wrong_name_or_header_names_its_file(name: str, text: str) -> None:
    """The message tells the author of a rule which file to correct."""
    with pytest.raises(ValueError, match=re.escape(f"rules/redirect_uris/{name}:")):
        parse_rule("redirect_uris", name, text)


def test_a_rule_knows_its_topic() -> None:
    """The topic is the folder of the file, and all the rules of a topic share the prefix of their ids."""
    assert parse_rule("redirect_uris", "RU-01-any-slug.sql", VALID) == RULES["RU-01"]
    prefixes = {(rule.id.split("-")[0], rule.topic) for rule in load_rules()}
    assert len(dict(prefixes)) == len({topic for _, topic in prefixes}) == len(prefixes)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("RU-01-unencrypted-redirect.sql", "rules/RU-01-unencrypted-redirect.sql: move the file"),
        ("elsewhere/RU-01-again.sql", "RU-01-.*: another rule has the id RU-01"),
    ],
)
def test_a_misplaced_rule_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, message: str
) -> None:
    """A file outside a topic's folder, or with the id of another rule, is not skipped in silence."""
    for name in ("redirect_uris/RU-01-unencrypted-redirect.sql", file):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(VALID, "utf-8")
    monkeypatch.setattr(rules, "files", lambda package: tmp_path)

    with pytest.raises(ValueError, match=message):
        load_rules.__wrapped__()
