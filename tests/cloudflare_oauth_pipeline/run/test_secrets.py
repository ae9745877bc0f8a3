"""Promise 10: every place of every answer holds secrets, and no byte of them is written anywhere."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cloudflare_oauth_pipeline.fake_api import FakeApi, account_id, faults
from cloudflare_oauth_pipeline.fake_api.envelope import Response
from cloudflare_oauth_pipeline.fake_api.faults import Fault
from tests.support.commands import TESTS_ON_PATH
from tests.support.secret_names import SECRET_NAMES
from tests.support.warehouses import DuckDB, Postgres, Warehouse

A, B, C = (account_id(name) for name in "abc")
BARE = """
import dlt, sys
from cloudflare_oauth import cloudflare_oauth
pipeline = dlt.pipeline("bare", destination=sys.argv[1], dataset_name="cloudflare")
pipeline.run(cloudflare_oauth())
"""
ASCII_NAMES = [name for name in SECRET_NAMES if name.isascii()]
# What a name of a header may consist of.
HEADERS = [name for name in ASCII_NAMES if name.replace("-", "").isalnum()]


@dataclass
class Hush:
    """Makes values that are recognised wherever they are written: each a text, a number, or made of them."""

    mark: str = field(default_factory=lambda: f"hush{secrets.token_hex(6)}")
    number: int = field(default_factory=lambda: 10**15 + secrets.randbelow(10**15) * 100_000)
    made: int = 0

    def value(self) -> Any:
        self.made += 1
        text, number = f"{self.mark}{self.made}", self.number + self.made
        return [text, number, [text, number], {"a": text, "b": [number]}, number + 0.5][self.made % 5]

    def text(self) -> str:
        self.made += 1
        return f"{self.mark}{self.made}"

    def fields(self, names: list[str] = SECRET_NAMES) -> dict[str, Any]:
        """A secret in a field of each name."""
        return {name: self.value() for name in names}

    def is_in(self, text: str | bytes) -> bool:
        text = text if isinstance(text, str) else text.decode("latin-1")
        # The last five digits count.
        return self.mark in text or str(self.number)[:-5] in text


def everywhere(api: FakeApi, hush: Hush) -> None:
    """Put secrets into every place of every answer."""
    organisation = api.organisation
    organisation.scopes = [
        {"id": "one", "name": "One", "scopes": ["a"], "about": hush.fields(), **hush.fields()},
        {"name": "no id", **hush.fields()},
    ]
    organisation.add_account(A, **hush.fields(), unknown={"deep": [hush.fields()]})
    organisation.put_account({"name": "no id", **hush.fields()})
    organisation.add(
        A,
        client_id="1",
        client_name="One",
        scopes=["zone.read"],
        client_uri_verification={"status": "pending", **hush.fields()},
        nested={"kept": 1, "deep": {"deeper": hush.fields()}, **hush.fields()},
        items=[{"kept": "x", **hush.fields()}, [hush.fields()], {"in": {"kept": 2, **hush.fields()}}],
        **hush.fields(),
    )
    deep: Any = hush.fields()
    for _ in range(200):
        deep = {"in": [deep]}
    for rejected in (
        hush.fields(),
        {"client_id": "2", "scopes": "no array", **hush.fields()},
        {"client_id": "3", "client_name": 7, "nested": [hush.fields()]},
        {"client_id": "4", "in": deep},
        {"client_id": "5", "clientName": "a", "client_name": "b", **hush.fields()},
        {"client_id": "6", "new": 2**70, **hush.fields()},
        hush.text(),
        hush.number,
        [hush.text(), [hush.number], hush.fields()],
    ):
        organisation.put(A, rejected)
    for account, status in ((B, 403), (C, 400)):
        organisation.add_account(account)
        envelope = {
            "success": False,
            "result": hush.fields(),
            "errors": [{"code": 10000, "message": "refused", **hush.fields()}, hush.fields()],
            "messages": [hush.fields(), hush.text()],
            "result_info": hush.fields(),
            **hush.fields(),
        }
        api.behaviour.break_(account, faults.body(json.dumps(envelope), status=status))
    api.behaviour.break_(A, _in_envelope(hush))
    api.behaviour.headers |= {name: hush.text() for name in HEADERS[::12]}


def _in_envelope(hush: Hush) -> Fault:
    """The correct answer, with secrets around its result."""

    def respond(make_response: Callable[[], Response]) -> Response:
        response = make_response()
        envelope = json.loads(response.body)
        envelope["result_info"] |= hush.fields()
        envelope |= {"messages": [hush.fields(), hush.text()], **hush.fields()}
        return replace(response, body=json.dumps(envelope).encode())

    return Fault("secrets in the envelope", respond)


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty DuckDB file and an empty PostgreSQL database."""
    if request.param == "duckdb":
        yield DuckDB(tmp_path / "secrets.duckdb")
    else:
        server: Postgres = request.getfixturevalue("server")
        yield server.emptied(f"secrets-{next(_databases)}")


_databases = count()


def run(api: FakeApi, folder: Path, warehouse: Warehouse, *arguments: str, token: str) -> Any:
    """Run Python with these arguments in a folder; everything that is written lies below it."""
    environment = os.environ | TESTS_ON_PATH | warehouse.environment
    environment |= {"CLOUDFLARE_API_TOKEN": token, "CLOUDFLARE_BASE_URL": api.base_url}
    environment |= {"DLT_DATA_DIR": str(folder / "dlt"), "HOME": str(folder), "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def written(folder: Path, warehouse: Warehouse) -> dict[str, bytes]:
    """Everything that was written: each file, and the rows of each table, dlt's own included."""
    content = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    tables = {table: warehouse.rows(table) for table in warehouse.tables()}
    return content | {table: repr(rows).encode() for table, rows in tables.items()}


@pytest.mark.scale
@pytest.mark.parametrize("way", ["command line", "bare source"])
def test_no_secret_of_any_answer_is_written(
    api: FakeApi, tmp_path: Path, warehouse: Warehouse, way: str
) -> None:
    """1,600 names in every place; neither outputs, files, logs of the destination nor tables hold a value."""
    hush = Hush()
    everywhere(api, hush)
    sync = ("-m", "cloudflare_oauth_pipeline", "sync", "--format", "json", "--destination")
    program = sync if way == "command line" else ("-c", BARE)

    token = next(iter(api.behaviour.tokens))
    outputs = [run(api, tmp_path, warehouse, *program, warehouse.destination, token=token) for _ in range(2)]
    # The documents before and after a change.
    api.organisation.change(A, "1", client_name="Renamed", **hush.fields())
    outputs.append(run(api, tmp_path, warehouse, *program, warehouse.destination, token=token))

    for done in outputs:
        assert done.returncode == (3 if way == "command line" else 0), done.stderr[-2000:]
        assert not hush.is_in(done.stdout + done.stderr)
        if way == "command line":
            assert json.loads(done.stdout)["status"] == "partial"
            told = [line for line in done.stderr.splitlines() if "may hold secrets were dropped" in line]
            assert len(told) == 1
            assert " more" in told[0]
    clients = {row["client_id"]: row for row in warehouse.rows("oauth_clients")}
    assert clients["1"]["client_name"] == "Renamed"
    assert clients["1"]["nested__kept"] == 1
    assert len(warehouse.rows("rejected_rows")) >= 9
    assert hush.made > 20_000
    assert [name for name, content in written(tmp_path, warehouse).items() if hush.is_in(content)] == []


ECHOES: dict[str, Callable[[str], Fault]] = {
    "at the cut": lambda token: faults.error(400, 1, "x" * 490 + f" {token}"),
    "its first part": lambda token: faults.error(400, 1, f"bad token {token[:20]}..."),
    "its last part": lambda token: faults.error(500, 1, f"bad token ...{token[-12:]}"),
    "in lower case": lambda token: faults.error(400, 1, token.lower()),
    "in the type": lambda token: faults.body("x", content_type=f"text/{token}"),
    "in a header line": lambda token: faults.body(
        "{}", location=f"https://other.example/?t={token}", status=302
    ),
    "in a status of a proxy": lambda token: faults.html(407, token),
    "as a secret of the envelope": lambda token: faults.unsuccessful(1, f"Authorization: Bearer {token}"),
}


@pytest.mark.scale
def test_no_part_of_an_echoed_token_is_written(api: FakeApi, tmp_path: Path) -> None:
    """Whole, cut, in part: neither the sync nor the tables repeat eight characters of it."""
    token = "Zq8" + secrets.token_urlsafe(40)
    warehouse = DuckDB(tmp_path / "secrets.duckdb")
    api.behaviour.tokens.add(token)
    for name, echo in ECHOES.items():
        account = account_id(name)
        api.organisation.add_account(account)
        api.behaviour.break_(account, echo(token))
    # The catalogue of scopes fails, too, and the list of accounts the second time.
    api.behaviour.fail_next(ECHOES["at the cut"](token), path="/oauth/scopes", times=None)
    sync = ("-m", "cloudflare_oauth_pipeline", "sync", "--format", "json")

    outputs = [run(api, tmp_path, warehouse, *sync, token=token)]
    api.behaviour.fail_next(ECHOES["at the cut"](token), path="/accounts", times=None)
    outputs.append(run(api, tmp_path, warehouse, *sync, token=token))
    outputs.append(run(api, tmp_path, warehouse, "-c", BARE, "duckdb", token=token))

    assert [done.returncode for done in outputs] == [3, 1, 1]
    parts = {token[start : start + 8].lower() for start in range(len(token) - 7)}
    shown = {f"output {number}": done.stdout + done.stderr for number, done in enumerate(outputs)}
    shown |= {name: text.decode("latin-1") for name, text in written(tmp_path, warehouse).items()}
    lower = {name: text.lower() for name, text in shown.items()}
    assert [(name, part) for name, text in lower.items() for part in parts if part in text] == []
    assert "***" in shown["account_syncs"]
