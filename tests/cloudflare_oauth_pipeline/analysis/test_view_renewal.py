"""The renewal of the views: all or none, with what analysts have built on them and attached to them."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from cloudflare_oauth import ConfigurationError, SyncSettings, check_ownership
from cloudflare_oauth.events import Warned
from cloudflare_oauth_pipeline.analysis.views import NAMES, load_views
from cloudflare_oauth_pipeline.analysis.views.renewal import renew_views
from cloudflare_oauth_pipeline.destinations.duckdb import DuckDBFile
from cloudflare_oauth_pipeline.destinations.pipeline import open_for_writing
from cloudflare_oauth_pipeline.destinations.postgres_views import PostgresViews
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.warehouses import DuckDB, Postgres, Warehouse

OLDER = "Each row is what an older release said. [0123456789ab]"
FINDINGS, OVERVIEW, HEALTH = "oauth_client_findings", "oauth_client_overview", "account_health"
FOLDERS = count()


def query(warehouse: Warehouse, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements and return the rows of the last."""
    rows: list[tuple[Any, ...]] = []
    if isinstance(warehouse, DuckDB):
        with duckdb.connect(str(warehouse.file)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
        return rows
    assert isinstance(warehouse, Postgres)
    with closing(psycopg2.connect(warehouse.uri)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
    return rows


def stored(warehouse: Warehouse) -> dict[str, tuple[int, str, str]]:
    """The identity, the query and the comment of every view of the dataset."""
    if isinstance(warehouse, DuckDB):
        rows = query(
            warehouse,
            "SELECT view_name, view_oid, sql, comment FROM duckdb_views() WHERE schema_name = 'cloudflare'",
        )
    else:
        rows = query(
            warehouse,
            "SELECT relname, xmin::text::bigint, pg_get_viewdef(oid), obj_description(oid, 'pg_class') "
            "FROM pg_class WHERE relnamespace = 'cloudflare'::regnamespace AND relkind = 'v'",
        )
    return {name: tuple(row) for name, *row in rows}  # type: ignore[misc]


def columns(warehouse: Warehouse, view: str, dataset: str = "cloudflare") -> list[str]:
    rows = query(
        warehouse,
        f"SELECT column_name FROM information_schema.columns WHERE table_name = '{view}' "
        f"AND table_schema = '{dataset}' ORDER BY ordinal_position",
    )
    return [row[0] for row in rows]


def make_older(warehouse: Warehouse, view: str, change: Callable[[list[str]], list[str]]) -> None:
    """Store a view as an older release may have: with other columns."""
    _, text, _ = stored(warehouse)[view]
    select = text if isinstance(warehouse, Postgres) else text.partition(" AS ")[2]
    listed = ", ".join(change(columns(warehouse, view)))
    replaced = {name: text for name, (_, text, _) in stored(warehouse).items()}
    drop = "CASCADE" if isinstance(warehouse, Postgres) else ""
    query(
        warehouse,
        f"DROP VIEW cloudflare.{view} {drop}",
        f"CREATE VIEW cloudflare.{view} AS SELECT {listed} FROM ({select.rstrip('; ')}) AS newer",
        f"COMMENT ON VIEW cloudflare.{view} IS '{OLDER}'",
    )
    for name in replaced.keys() - stored(warehouse).keys():
        query(warehouse, f"CREATE VIEW cloudflare.{name} AS {replaced[name]}")
        query(warehouse, f"COMMENT ON VIEW cloudflare.{name} IS '{OLDER}'")


def target_of(warehouse: Warehouse, folder: Path, pipeline_name: str = "cloudflare_oauth") -> Target:
    db = warehouse.file if isinstance(warehouse, DuckDB) else None
    return Target(destination=warehouse.destination, db=db, pipelines_dir=folder, pipeline_name=pipeline_name)


@pytest.fixture(scope="module")
def synced_once(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Warehouse]]:
    """A DuckDB file and a PostgreSQL database after one sync."""
    folder = tmp_path_factory.mktemp("views")
    warehouses: dict[str, Warehouse] = {
        "duckdb": DuckDB(folder / "clients.duckdb"),
        "postgres": server.emptied("views"),
    }
    with FakeApi() as api, pytest.MonkeyPatch.context() as patch:
        api.organisation.add(account_id("one"), client_id="one", redirect_uris=["http://a.example/"])
        for warehouse in warehouses.values():
            if warehouse.destination == "postgres":
                for name, value in warehouse.environment.items():
                    patch.setenv(name, value)
            done = sync(
                target_of(warehouse, folder / "dlt"),
                SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url),
            )
            assert done.exit_code == 0
        yield warehouses


@pytest.fixture
def postgres(synced_once: dict[str, Warehouse], monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    copy = synced_once["postgres"].copied(f"views-{next(FOLDERS)}")
    for name, value in copy.environment.items():
        monkeypatch.setenv(name, value)
    return copy


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, synced_once: dict[str, Warehouse]) -> Warehouse:
    """A synced dataset of each of the two destinations that has comments on views."""
    if request.param == "postgres":
        copy: Warehouse = request.getfixturevalue("postgres")
        return copy
    return synced_once["duckdb"].copied(f"views-{next(FOLDERS)}.duckdb")


@pytest.fixture
def renew(tmp_path: Path) -> Callable[..., list[Warned]]:
    """Renews the views of a warehouse, as the end of a sync does."""

    def renew(warehouse: Warehouse, pipeline_name: str = "cloudflare_oauth") -> list[Warned]:
        with open_for_writing(target_of(warehouse, tmp_path / "dlt", pipeline_name)) as (pipeline, adapter):
            return list(renew_views(pipeline, adapter, ()))

    return renew


Renew = Callable[[Warehouse], list[Warned]]
Change = Callable[[list[str]], list[str]]

OLDER_COLUMNS: dict[str, Change] = {
    "a column more in the middle now": lambda names: [name for name in names if name != "client_name"],
    "a column less now": lambda names: [*names, "1 AS legacy"],
    "another type now": lambda names: ["3 AS detail" if name == "detail" else name for name in names],
    "another order now": lambda names: names[::-1],
}


@pytest.mark.parametrize("older", OLDER_COLUMNS)
def test_a_view_with_other_columns_is_renewed(warehouse: Warehouse, renew: Renew, older: str) -> None:
    """Also if another view of ours reads it; a second renewal leaves the same objects as they are."""
    make_older(warehouse, FINDINGS, OLDER_COLUMNS[older])

    warned = renew(warehouse)

    assert warned == []
    for name, view in load_views().items():
        assert columns(warehouse, name) == list(view.columns)
        assert query(warehouse, f"SELECT COUNT(*) FROM cloudflare.{name}") != [(0,)]
        assert stored(warehouse)[name][2] != OLDER
    after = stored(warehouse)
    assert renew(warehouse) == []
    assert stored(warehouse) == after


# What an analyst builds on the views, and a query that it answers.
FOREIGN = {
    "a view": ("CREATE VIEW cloudflare.report AS SELECT * FROM cloudflare.{0}", "cloudflare.report"),
    "a view elsewhere": ("CREATE VIEW {1}.report AS SELECT subject FROM cloudflare.{0}", "{1}.report"),
    "a view on a view": (
        "CREATE VIEW {1}.base AS SELECT subject FROM cloudflare.{0}| "
        "CREATE VIEW {1}.report AS SELECT * FROM {1}.base",
        "{1}.report",
    ),
    "a view on ours": (
        "CREATE VIEW {1}.report AS SELECT finding_count FROM cloudflare.oauth_client_overview",
        "{1}.report",
    ),
}
FOREIGN_TO_POSTGRES = {
    "a materialized view": (
        "CREATE MATERIALIZED VIEW {1}.report AS SELECT subject FROM cloudflare.{0}",
        "{1}.report",
    ),
    "a function": (
        "CREATE FUNCTION {1}.report() RETURNS bigint BEGIN ATOMIC SELECT COUNT(*) FROM cloudflare.{0}; END",
        "{1}.report()",
    ),
    "a column of the row's type": (
        "CREATE TABLE {1}.report (row cloudflare.{0})| INSERT INTO {1}.report VALUES (NULL)",
        "{1}.report",
    ),
}
SCHEMA = "CREATE SCHEMA analysts"


def build(warehouse: Warehouse, kind: str) -> str:
    """Build something on the view of findings; returns what to select from."""
    statements, relation = (FOREIGN | FOREIGN_TO_POSTGRES)[kind]
    query(warehouse, SCHEMA, *statements.format(FINDINGS, "analysts").split("| "))
    return relation.format(FINDINGS, "analysts")


def cases(kinds: dict[str, Any], *, only: str = "") -> list[Any]:
    names = (only,) if only else ("duckdb", "postgres")
    return [pytest.param(name, kind, id=f"{name}-{kind}") for kind in kinds for name in names]


@pytest.mark.parametrize(
    ("warehouse", "kind"),
    [*cases(FOREIGN), *cases(FOREIGN_TO_POSTGRES, only="postgres")],
    indirect=["warehouse"],
)
def test_what_an_analyst_builds_on_a_view_stays(warehouse: Warehouse, renew: Renew, kind: str) -> None:
    """The view keeps its columns in their order, and new ones come last."""
    make_older(warehouse, FINDINGS, OLDER_COLUMNS["a column more in the middle now"])
    before = columns(warehouse, FINDINGS)
    relation = build(warehouse, kind)

    warned = renew(warehouse)

    assert warned == []
    assert columns(warehouse, FINDINGS) == [*before, "client_name"]
    assert query(warehouse, f"SELECT COUNT(*) FROM {relation}")[0][0] > 0
    assert columns(warehouse, OVERVIEW) == list(load_views()[OVERVIEW].columns)
    after = stored(warehouse)
    assert renew(warehouse) == []
    assert stored(warehouse) == after


@pytest.mark.parametrize(
    ("warehouse", "kind"),
    [*cases(FOREIGN), *cases(FOREIGN_TO_POSTGRES, only="postgres")],
    indirect=["warehouse"],
)
def test_what_would_break_is_named_and_nothing_of_it_is_touched(
    warehouse: Warehouse, renew: Renew, kind: str
) -> None:
    """The view stays as it was, and so does what is made from it; the others are renewed."""
    older = "another type now" if "view" in kind else "a column less now"
    make_older(warehouse, FINDINGS, OLDER_COLUMNS[older])
    make_older(warehouse, HEALTH, lambda names: names[:3])
    relation = build(warehouse, kind)
    before = stored(warehouse)

    (warned,) = renew(warehouse)

    assert warned.partial
    assert re.search(r"the view oauth_client_findings stays as it was: .*report", warned.message)
    assert "Drop" in warned.message
    after = stored(warehouse)
    assert {name: after[name] for name in (FINDINGS, OVERVIEW)} == {
        name: before[name] for name in (FINDINGS, OVERVIEW)
    }
    assert columns(warehouse, HEALTH) == list(load_views()[HEALTH].columns)
    assert query(warehouse, f"SELECT COUNT(*) FROM {relation}")[0][0] > 0


def test_what_would_break_makes_a_sync_partial(warehouse: Warehouse, api: FakeApi, tmp_path: Path) -> None:
    """The exit code is 3, every time, until the analyst has acted; then all is renewed."""
    make_older(warehouse, FINDINGS, OLDER_COLUMNS["a column less now"])
    relation = build(warehouse, "a view elsewhere")
    api.organisation.add(account_id("one"), client_id="one", redirect_uris=["http://a.example/"])

    def exit_code() -> int:
        settings = SyncSettings(api_token=FAKE_TOKEN, base_url=api.base_url)
        return sync(target_of(warehouse, tmp_path / "dlt"), settings).exit_code

    assert [exit_code(), exit_code()] == [3, 3]
    query(warehouse, f"DROP VIEW {relation}")
    assert exit_code() == 0
    assert columns(warehouse, FINDINGS) == list(load_views()[FINDINGS].columns)


@pytest.mark.parametrize("column", ["rejected", "listed", "deletes_withheld"])
def test_a_renewal_that_fails_in_the_middle_leaves_all_views_as_they_were(
    warehouse: Warehouse, renew: Renew, column: str
) -> None:
    """The last view cannot be created: those before it are as the older release left them."""
    make_older(warehouse, FINDINGS, OLDER_COLUMNS["a column less now"])
    make_older(warehouse, HEALTH, lambda names: names[:3])
    query(warehouse, f"ALTER TABLE cloudflare.account_syncs RENAME COLUMN {column} TO other")
    before = stored(warehouse)

    (warned,) = renew(warehouse)

    assert warned.partial
    assert warned.message.startswith("the views could not be renewed and stay as they were: ")
    assert stored(warehouse) == before


GRANTS = """
SELECT 'view', NULL::name, grantee::regrole::text, privilege_type, is_grantable
FROM pg_class, aclexplode(COALESCE(relacl, acldefault('r', relowner))) WHERE oid = 'cloudflare.{0}'::regclass
UNION ALL
SELECT 'column', attname, grantee::regrole::text, privilege_type, is_grantable
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 'cloudflare.{0}'::regclass
UNION ALL
SELECT 'comment', attname, description, NULL, NULL
FROM pg_description JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND attnum > 0
WHERE objoid = 'cloudflare.{0}'::regclass
UNION ALL
SELECT 'owner', NULL, pg_get_userbyid(relowner), array_to_string(reloptions, ','), NULL
FROM pg_class WHERE oid = 'cloudflare.{0}'::regclass
ORDER BY 1, 2, 3, 4, 5
"""

ATTACHED = {
    "grants": ["GRANT SELECT ON cloudflare.{0} TO {1}, PUBLIC"],
    "grants to pass on": ["GRANT SELECT, UPDATE ON cloudflare.{0} TO {1} WITH GRANT OPTION"],
    "grants of columns": ["GRANT SELECT (client_id), UPDATE (account_id) ON cloudflare.{0} TO {1}"],
    "another owner": [
        "GRANT ALL ON SCHEMA cloudflare TO {1}",
        "GRANT ALL ON ALL TABLES IN SCHEMA cloudflare TO {1}",
        "ALTER VIEW cloudflare.{0} OWNER TO {1}",
        "GRANT SELECT ON cloudflare.{0} TO PUBLIC",
    ],
    "comments and options": [
        "COMMENT ON COLUMN cloudflare.{0}.client_id IS 'an analyst''s {{words}}'",
        "ALTER VIEW cloudflare.{0} SET (security_barrier = true)",
    ],
    "nothing, and other defaults": [
        "ALTER DEFAULT PRIVILEGES IN SCHEMA cloudflare GRANT ALL ON TABLES TO {1}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA cloudflare GRANT SELECT ON TABLES TO PUBLIC",
    ],
    "less than the owner's own": ["REVOKE ALL ON cloudflare.{0} FROM postgres, PUBLIC"],
}


@pytest.mark.parametrize("kind", ATTACHED)
def test_grants_and_comments_outlive_a_renewal(postgres: Warehouse, renew: Renew, kind: str) -> None:
    """On the view that changes, and on the one of ours that has to be dropped with it."""
    make_older(postgres, FINDINGS, OLDER_COLUMNS["a column more in the middle now"])
    role = f'"an analyst {next(FOLDERS)}"'
    query(postgres, f"CREATE ROLE {role}")
    for view in (FINDINGS, OVERVIEW):
        query(postgres, *(statement.format(view, role) for statement in ATTACHED[kind]))
    before = [query(postgres, GRANTS.format(view)) for view in (FINDINGS, OVERVIEW)]

    assert renew(postgres) == []
    assert [query(postgres, GRANTS.format(view)) for view in (FINDINGS, OVERVIEW)] == before
    # And if the columns are the same, so that nothing has to be dropped.
    query(postgres, f"COMMENT ON VIEW cloudflare.{FINDINGS} IS '{OLDER}'")
    assert renew(postgres) == []

    assert [query(postgres, GRANTS.format(view)) for view in (FINDINGS, OVERVIEW)] == before
    assert columns(postgres, FINDINGS) == list(load_views()[FINDINGS].columns)


@pytest.mark.parametrize("view", [FINDINGS, OVERVIEW, HEALTH])
def test_comments_on_columns_outlive_a_renewal_on_duckdb(
    synced_once: dict[str, Warehouse], renew: Renew, view: str
) -> None:
    """DuckDB forgets them with the old view."""
    warehouse = synced_once["duckdb"].copied(f"views-{next(FOLDERS)}.duckdb")
    make_older(warehouse, view, lambda names: names[:4])
    query(warehouse, f"COMMENT ON COLUMN cloudflare.{view}.account_id IS 'an analyst''s'")

    assert renew(warehouse) == []

    comment = (
        f"SELECT comment FROM duckdb_columns() WHERE table_name = '{view}' AND column_name = 'account_id'"
    )
    assert query(warehouse, comment) == [("an analyst's",)]


@pytest.mark.parametrize(
    "older", ["a column more in the middle now", "a column less now", "another type now"]
)
def test_two_renewals_at_once_do_it_once(
    postgres: Warehouse, renew: Callable[..., list[Warned]], older: str
) -> None:
    """Both have seen the older views; the second one finds them renewed when its turn comes."""
    assert isinstance(postgres, Postgres)
    make_older(postgres, FINDINGS, OLDER_COLUMNS[older])
    waiting = (
        "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with closing(psycopg2.connect(postgres.uri)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('cloudflare_oauth views cloudflare', 0))"
        )
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(renew, postgres, f"pipeline-{number}") for number in range(2)]
            while query(postgres, waiting) != [(2,)]:
                assert not any(future.done() for future in both)
            connection.commit()
            warned = [future.result(timeout=60) for future in both]

    assert warned == [[], []]
    assert columns(postgres, FINDINGS) == list(load_views()[FINDINGS].columns)
    transactions = {xmin for name, (xmin, _, _) in stored(postgres).items() if name in (FINDINGS, OVERVIEW)}
    assert len(transactions) == 1


@pytest.mark.scale
def test_an_open_transaction_of_an_analyst_does_not_stop_a_sync(postgres: Warehouse, renew: Renew) -> None:
    """What has a lock on a view makes its renewal fail after some seconds; the next sync renews it."""
    assert isinstance(postgres, Postgres)
    make_older(postgres, FINDINGS, OLDER_COLUMNS["a column less now"])
    before = stored(postgres)
    with closing(psycopg2.connect(postgres.uri)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM cloudflare.{FINDINGS}")

        (warned,) = renew(postgres)

        assert warned.partial
        assert "is locked" in warned.message
        assert stored(postgres) == before
    assert renew(postgres) == []


MINE = {
    "table": "CREATE TABLE cloudflare.{0} (mine INTEGER)",
    "view": "CREATE VIEW cloudflare.{0} AS SELECT 42 AS mine",
    "materialized view": "CREATE MATERIALIZED VIEW cloudflare.{0} AS SELECT 42 AS mine",
}


@pytest.mark.parametrize(
    ("warehouse", "kind"),
    [*cases({"table": 0, "view": 0}), *cases({"materialized view": 0}, only="postgres")],
    indirect=["warehouse"],
)
@pytest.mark.parametrize(("view", "comment"), [(FINDINGS, None), (OVERVIEW, "Mine. [draft]"), (HEALTH, None)])
def test_what_is_the_users_is_never_replaced(
    warehouse: Warehouse, renew: Renew, kind: str, view: str, comment: str | None
) -> None:
    """It is named, with what to do; views that would read it are not renewed, all others are."""
    query(
        warehouse, f"DROP VIEW cloudflare.{view} {'CASCADE' if warehouse.destination == 'postgres' else ''}"
    )
    query(warehouse, MINE[kind].format(view))
    if comment:
        query(warehouse, f"COMMENT ON {kind} cloudflare.{view} IS '{comment}'")

    (warned,) = renew(warehouse)

    assert warned.partial
    assert f"cloudflare.{view} is a {kind} that this program did not make" in warned.message
    assert "rename yours, or choose another --dataset" in warned.message
    assert columns(warehouse, view) == (["mine"] if kind != "materialized view" else [])
    assert query(warehouse, f"SELECT COUNT(mine) FROM cloudflare.{view}") == [(int(kind != "table"),)]
    others = set(NAMES) - {view} - ({OVERVIEW} if view == FINDINGS else set())
    assert all(columns(warehouse, name) == list(load_views()[name].columns) for name in others)


class WithoutComments(DuckDBFile):
    """As an adapter of a destination that has no comments on views."""

    stored_views = None


@pytest.mark.parametrize("view", NAMES)
def test_without_comments_the_first_sync_refuses_what_has_the_name_of_a_view(
    tmp_path: Path, view: str
) -> None:
    """Later, nothing could tell whose it is."""
    warehouse = DuckDB(tmp_path / "clients.duckdb")
    query(warehouse, "CREATE SCHEMA cloudflare", MINE["view"].format(view))

    with (
        open_for_writing(target_of(warehouse, tmp_path / "dlt")) as (pipeline, _),
        pytest.raises(ConfigurationError, match=rf"did not make the view cloudflare\.{view}"),
    ):
        check_ownership(pipeline, views=NAMES)


@pytest.mark.parametrize("older", OLDER_COLUMNS)
def test_without_comments_every_renewal_creates_the_views(
    synced_once: dict[str, Warehouse], tmp_path: Path, older: str
) -> None:
    """Whatever columns they had."""
    warehouse = synced_once["duckdb"].copied(f"views-{next(FOLDERS)}.duckdb")
    make_older(warehouse, FINDINGS, OLDER_COLUMNS[older])
    target = target_of(warehouse, tmp_path / "dlt")

    with open_for_writing(target) as (pipeline, _):
        check_ownership(pipeline, views=NAMES)
        assert list(renew_views(pipeline, WithoutComments(target), ())) == []

    assert columns(warehouse, FINDINGS) == list(load_views()[FINDINGS].columns)


def test_the_description_of_dependents_is_for_users(postgres: Warehouse, renew: Renew) -> None:
    """A view by its name with the schema, anything else as PostgreSQL describes it."""
    assert PostgresViews.replaces_any_columns is False
    make_older(postgres, FINDINGS, OLDER_COLUMNS["a column less now"])
    build(postgres, "a materialized view")
    query(
        postgres,
        "CREATE FUNCTION analysts.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        f"CREATE TRIGGER writes INSTEAD OF INSERT ON cloudflare.{FINDINGS} "
        "FOR EACH ROW EXECUTE FUNCTION analysts.nothing()",
    )

    (warned,) = renew(postgres)

    assert "the materialized view analysts.report and the trigger writes on view" in warned.message
