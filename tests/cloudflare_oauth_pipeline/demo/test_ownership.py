"""The demo writes only into a file that does not exist, or that a demo has made."""

from pathlib import Path

import duckdb
import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id
from tests.support.commands import Run


def text(file: Path) -> None:
    file.write_text("no database")


def other_tables(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 1 AS a")


def own_dataset_of_that_name(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA cloudflare")
        connection.execute("CREATE TABLE cloudflare.zones AS SELECT 1 AS a")


@pytest.mark.parametrize("make", [text, other_tables, own_dataset_of_that_name])
def test_a_file_of_the_users_is_refused(run: Run, tmp_path: Path, make: object) -> None:
    """Exit code 2 and one sentence; every byte of the file stays."""
    file = tmp_path / "mine.duckdb"
    assert callable(make)
    make(file)
    before = file.read_bytes()

    done = run("demo", "--db", str(file), "--days", "0", "--progress", "off")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "was not made by a demo" in done.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("forbidden", [False, True])
def test_a_real_dataset_is_refused(run: Run, api: FakeApi, tmp_path: Path, forbidden: bool) -> None:
    """Also one whose accounts could not be read yet, so that it has no client."""
    api.organisation.add("a" * 32, client_id="1")
    if forbidden:
        api.behaviour.forbid("a" * 32)
    file = tmp_path / "real.duckdb"
    run("sync", "--db", str(file))
    before = file.read_bytes()

    done = run("demo", "--db", str(file), "--days", "0", "--progress", "off")

    assert (done.exit_code, done.stdout) == (2, "")
    assert file.read_bytes() == before


def test_a_real_account_beside_those_of_the_demo_is_refused(run: Run, api: FakeApi, tmp_path: Path) -> None:
    """A demo that an earlier release played into a real dataset does not make it the demo's."""
    for account in (account_id("group"), "a" * 32):
        api.organisation.add(account, client_id="1")
    file = tmp_path / "real.duckdb"
    run("sync", "--db", str(file))

    assert run("demo", "--db", str(file), "--days", "0").exit_code == 2


def test_the_demo_plays_again_into_its_own_file(run: Run, tmp_path: Path) -> None:
    """Also into an empty one, which a demo that was stopped at once leaves."""
    file = tmp_path / "demo.duckdb"
    duckdb.connect(str(file)).close()

    for _ in range(2):
        assert run("demo", "--db", str(file), "--days", "0", "--progress", "off").exit_code == 0
