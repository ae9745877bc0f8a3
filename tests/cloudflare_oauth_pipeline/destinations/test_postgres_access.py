"""PostgreSQL as people run it: any address, and refusals that say what to do before anything is requested."""

import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.commands import Run
from tests.support.warehouses import Postgres

ONE = account_id("one")
SYNC = ("sync", "--destination", "postgres", "--progress", "off")


@pytest.fixture
def database(api: FakeApi, server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """An empty database, and an account with one client."""
    api.organisation.add(ONE, client_id="client-1", client_name="Ω")
    return server.emptied(tmp_path_factory.mktemp("access").name)


@pytest.fixture
def role(database: Postgres) -> Iterator[str]:
    """A role that owns nothing."""
    name = f"analyst-{urlsplit(database.uri).path[1:]}"
    execute(database, f'CREATE ROLE "{name}" LOGIN')
    yield name
    execute(database, f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def execute(database: Postgres, sql: str) -> None:
    with closing(psycopg2.connect(database.uri)) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql)


def grant_all(database: Postgres, role: str) -> None:
    """Every right on the dataset but to own it."""
    execute(
        database,
        f'GRANT USAGE, CREATE ON SCHEMA cloudflare, cloudflare_staging TO "{role}";'
        f'GRANT ALL ON ALL TABLES IN SCHEMA cloudflare, cloudflare_staging TO "{role}"',
    )


def address(database: Postgres, scheme: str = "postgresql", login: str = "postgres@", path: str = "") -> str:
    """The address of the server's socket, without a password."""
    url = urlsplit(database.uri)
    return f"{scheme}://{login}/{path or url.path[1:]}?{url.query}"


def use(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", uri)


def error_of(done_stderr: str) -> str:
    (line,) = [line for line in done_stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
@pytest.mark.parametrize("login", ["postgres@", "postgres:any@localhost:5432"])
def test_an_address_may_leave_out_what_libpq_knows(
    database: Postgres, run: Run, monkeypatch: pytest.MonkeyPatch, scheme: str, login: str
) -> None:
    """A password, a host, and whatever driver SQLAlchemy is to use."""
    use(monkeypatch, address(database, scheme, login))

    assert run(*SYNC).exit_code == 0
    assert run(*SYNC).exit_code == 0
    assert [row["client_name"] for row in database.rows("oauth_clients")] == ["Ω"]


def test_names_arrive_whole_in_a_database_of_another_encoding(
    api: FakeApi, database: Postgres, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in one that knows of no encoding at all."""
    name = f"{urlsplit(database.uri).path[1:]}-ascii"
    execute(
        database,
        f"CREATE DATABASE \"{name}\" ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    use(monkeypatch, address(database, path=name))

    assert run(*SYNC).exit_code == 0
    again = run(*SYNC, "--format", "json")
    found = run("changes", "--destination", "postgres", "--format", "csv")

    assert '"unchanged": 1' in again.stdout
    assert "Ω" in found.stdout


@pytest.mark.parametrize(
    ("uri", "exit_code", "told"),
    [
        ("postgresql://postgres@127.0.0.1:9/postgres", 1, "PostgreSQL does not answer (Connection refused)"),
        ("postgresql://postgres@no.such.host.invalid/postgres", 1, "there is no such host"),
        ("postgresql://postgres@/postgres?host=/no/such/folder", 1, "PostgreSQL does not answer (No such fi"),
        ("{socket}/no-such-database", 1, "there is no database 'no-such-database': create it"),
        ("{no role}", 1, 'PostgreSQL does not accept the login (role "no-such-role" does not exist)'),
        ("nonsense", 2, "has to be like postgresql://user:password@host:port/database"),
        ("", 2, "has to be like postgresql://user:password@host:port/database"),
        ("postgresql://me:pa#ss@host/db", 1, None),
    ],
)
def test_a_refused_connection_says_what_to_do(
    api: FakeApi,
    database: Postgres,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    exit_code: int,
    told: str | None,
) -> None:
    """In one sentence, and before anything is requested."""
    if uri.startswith("{socket}"):
        uri = address(database, path=uri.partition("/")[2])
    use(monkeypatch, address(database, login="no-such-role@") if uri == "{no role}" else uri)

    for arguments in (SYNC, ("findings", "--destination", "postgres")):
        done = run(*arguments)

        line = error_of(done.stderr)
        assert told is None or (told in line)
        assert told is None or (done.exit_code == exit_code)
        assert "Traceback" not in done.stderr
        assert "pa#ss" not in line
    assert not api.requests


@pytest.mark.parametrize(
    ("before", "told", "statement"),
    [
        (None, "may not create the schema {} in the database", r"CREATE SCHEMA .*? AUTHORIZATION \"[^\"]+\""),
        (
            "CREATE SCHEMA cloudflare; CREATE SCHEMA cloudflare_staging",
            "may not create tables in the schema {}:",
            r"GRANT USAGE, CREATE ON SCHEMA .*? TO \"[^\"]+\"",
        ),
    ],
    ids=["no schema", "no right"],
)
def test_a_role_that_lacks_a_right_gets_the_statement_that_grants_it(
    api: FakeApi,
    database: Postgres,
    role: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    before: str | None,
    told: str,
    statement: str,
) -> None:
    """Run as it stands, it is all that is needed; first for the dataset, then for dlt's staging schema."""
    if before:
        execute(database, before)
    use(monkeypatch, address(database, login=f"{role}@"))

    for schema in ("cloudflare", "cloudflare_staging"):
        line = error_of(run(*SYNC).stderr)
        assert told.format(schema) in line
        (found,) = re.findall(statement, line)
        execute(database, found)

    assert not api.requests
    assert run(*SYNC).exit_code == 0


def test_what_the_server_lacks_is_not_about_this_machine(
    api: FakeApi, database: Postgres, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To raise a limit here would not help it."""
    use(monkeypatch, address(database))
    assert run(*SYNC).exit_code == 0
    execute(
        database,
        "CREATE FUNCTION cloudflare.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE 'out of memory' USING ERRCODE = '53200'; END $$; "
        "CREATE TRIGGER fail BEFORE INSERT ON cloudflare.oauth_clients FOR EACH ROW "
        "EXECUTE FUNCTION cloudflare.fail()",
    )
    api.organisation.change(ONE, "client-1", client_name="other")

    line = error_of(run(*SYNC).stderr)

    assert "out of memory" in line
    assert "ulimit" not in line


def test_a_role_that_owns_no_table_is_told_of_new_columns(
    api: FakeApi, database: Postgres, role: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade needs the owner once; another tool's table in the schema does not matter."""
    use(monkeypatch, address(database))
    assert run(*SYNC).exit_code == 0
    execute(
        database,
        "CREATE TABLE cloudflare.mine (x int); "
        "ALTER TABLE cloudflare.account_syncs DROP COLUMN rejected_in_part CASCADE",
    )
    grant_all(database, role)
    api.requests.clear()
    use(monkeypatch, address(database, login=f"{role}@"))

    line = error_of(run(*SYNC).stderr)

    assert "adds the column rejected_in_part to the table cloudflare.account_syncs" in line
    assert "have its owner run this release's sync once" in line
    assert not api.requests


def test_a_role_that_owns_its_tables_does_not_mind_anothers(
    api: FakeApi, database: Postgres, role: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It adds columns for new fields, although the schema has tables of other roles."""
    for schema in ("cloudflare", "cloudflare_staging"):
        execute(
            database, f'CREATE SCHEMA {schema} AUTHORIZATION "{role}"; CREATE TABLE {schema}.mine (x int)'
        )
    use(monkeypatch, address(database, login=f"{role}@"))
    assert run(*SYNC).exit_code == 0
    api.organisation.change(ONE, "client-1", new_field="x")

    done = run(*SYNC)

    execute(database, "DROP TABLE cloudflare.mine, cloudflare_staging.mine")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [row["new_field"] for row in database.rows("oauth_clients")] == ["x"]


def test_a_role_that_owns_no_table_loads_all_but_new_fields(
    api: FakeApi, database: Postgres, role: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its owner can add a column to a table; all else is loaded, deletions included."""
    use(monkeypatch, address(database))
    assert run(*SYNC).exit_code == 0
    grant_all(database, role)
    api.organisation.add(ONE, client_id="client-2", client_name="two")
    api.organisation.add(ONE, client_id="client-3", new_field="x", new_array=["y"], scopes=["a"])
    api.organisation.remove(ONE, "client-1")
    use(monkeypatch, address(database, login=f"{role}@"))

    done = run(*SYNC)

    assert done.exit_code == 3
    assert "the role does not own the table cloudflare." in done.stderr
    for _ in range(2):
        assert {row["client_id"] for row in database.rows("oauth_clients")} == {"client-2", "client-3"}
        assert [row["value"] for row in database.rows("oauth_clients__new_array")] == ["y"]
        assert [row["value"] for row in database.rows("oauth_clients__scopes")] == ["a"]
        (rejected,) = database.rows("rejected_rows")
        assert rejected["document"] == '{"client_id": "client-3", "new_field": "x"}'
        assert rejected["reason"] == (
            "new_field: the column new_field cannot be added to oauth_clients, which has another owner; "
            "the rest of the row was loaded"
        )
        again = run(*SYNC, "--format", "json")
        assert (again.exit_code, again.json["clients"]["unchanged"]) == (3, 2)
    use(monkeypatch, address(database))
    assert run(*SYNC).exit_code == 0
    assert {row["new_field"] for row in database.rows("oauth_clients")} == {None, "x"}


def test_a_dataset_is_told_by_its_name_in_the_database(
    database: Postgres, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt writes names in snake case."""
    use(monkeypatch, address(database))

    done = run(*SYNC, "--dataset", "SecOps-2026")

    assert done.exit_code == 0
    assert "postgres, dataset sec_ops_2026 (for --dataset SecOps-2026): " in done.stdout
    execute(database, "SELECT * FROM sec_ops_2026.oauth_clients")
