"""What would end in wrong tables is refused to a run of the bare source, before anything happens."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from cloudflare_oauth import ConfigurationError, cloudflare_oauth
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from tests.support.client_settings import LIMITS
from tests.support.warehouses import DATASET, DuckDB, Postgres, Warehouse

ACCOUNT = "a" * 32

Refuse = Callable[..., str]


def reason(error: BaseException | None) -> str:
    """The sentence of the source, which dlt wraps."""
    while error is not None and not isinstance(error, ConfigurationError):
        error = error.__cause__
    assert error is not None
    return str(error)


class Bare:
    """The bare source in a pipeline of its user, with a loaded dataset of three clients."""

    def __init__(self, api: FakeApi, warehouse: Warehouse, folder: Path) -> None:
        self.api = api
        self.warehouse = warehouse
        self._folder = folder

    def pipeline(self, *, home: str = "dlt", **arguments: Any) -> dlt.Pipeline:
        """A pipeline on the dataset."""
        given = {"destination": self.warehouse.destination, "dataset_name": DATASET}
        return dlt.pipeline("bare", pipelines_dir=str(self._folder / home), **(given | arguments))

    def source(self) -> DltSource:
        """The source, with what the fake API needs."""
        source: DltSource = cloudflare_oauth(
            api_token=FAKE_TOKEN, base_url=self.api.base_url, limits=LIMITS, max_delete_fraction=1
        )
        return source

    def stored(self) -> Any:
        """Every row of every table, dlt's own included."""
        tables = sorted(self.warehouse.tables())
        return {table: sorted(map(repr, self.warehouse.rows(table))) for table in tables}

    def is_exact(self) -> bool:
        """Whether the clients and the elements of their arrays are those of the API."""
        clients = self.api.organisation.clients(ACCOUNT)
        stored = {row["client_id"]: row["client_name"] for row in self.warehouse.rows("oauth_clients")}
        elements = self.warehouse.rows("oauth_clients__scopes")
        return stored == {client["client_id"]: client["client_name"] for client in clients} and sorted(
            (row["client_id"], row["value"]) for row in elements
        ) == sorted((client["client_id"], scope) for client in clients for scope in client["scopes"])


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.scale)])
def bare(
    request: pytest.FixtureRequest, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bare:
    """A dataset that an earlier run has loaded; since then one client was changed, one deleted, one added."""
    warehouse: Warehouse = DuckDB(tmp_path / "clients.duckdb")
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("server")
        warehouse = server.emptied(f"bare_{uuid.uuid4().hex[:8]}")
    for name, value in warehouse.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    organisation = api.organisation
    for number in "123":
        organisation.add(ACCOUNT, client_id=number, client_name=number, scopes=["zone.read", number])
    bare = Bare(api, warehouse, tmp_path)
    bare.pipeline().run(bare.source())
    organisation.change(ACCOUNT, "1", client_name="changed", scopes=["dns.read"])
    organisation.remove(ACCOUNT, "2")
    organisation.add(ACCOUNT, client_id="4", client_name="4", scopes=[])
    return bare


@pytest.fixture
def refused(bare: Bare) -> Refuse:
    """Runs something, and proves that it was refused, and that nothing was requested, dropped or written."""

    def refused(run: Callable[[], Any]) -> str:
        before = bare.stored()
        bare.api.requests.clear()

        with pytest.raises(PipelineStepFailed) as failed:
            run()

        message = reason(failed.value)
        assert failed.value.step == "extract"
        assert len(bare.api.requests) == 0
        assert bare.stored() == before
        # What was refused leaves nothing behind in dlt's folder that would be dropped by the next run.
        bare.pipeline().run(bare.source())
        assert bare.is_exact()
        return message

    return refused


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ("run", "drop_sources"),
        ("run", "drop_resources"),
        ("run", "drop_data"),
        ("extract", "drop_sources"),
        ("pipeline", "drop_data"),
        ("PIPELINES__REFRESH", "drop_resources"),
        ("REFRESH", "drop_sources"),
        ("new machine", "drop_sources"),
    ],
)
def test_a_refresh_is_refused(
    bare: Bare, refused: Refuse, monkeypatch: pytest.MonkeyPatch, mode: Any, given: str
) -> None:
    """Wherever it is asked for: dlt would drop the tables and load only the difference to them."""

    def run() -> None:
        if given.isupper():
            with monkeypatch.context() as environment:
                environment.setenv(given, mode)
                pipeline = bare.pipeline()
            pipeline.run(bare.source())
        elif given == "extract":
            bare.pipeline().extract(bare.source(), refresh=mode)
        elif given == "pipeline":
            bare.pipeline(refresh=mode).run(bare.source())
        else:
            bare.pipeline(home="dlt" if given == "run" else "new").run(bare.source(), refresh=mode)

    message = refused(run)

    assert f"refresh='{mode}'" in message
    assert "choose another dataset_name" in message


UNSAFE: dict[str, tuple[dict[str, Any], str]] = {
    "replace": ({"write_disposition": "replace"}, "write_disposition='replace'"),
    "append": ({"write_disposition": "append"}, "write_disposition='append'"),
    "skip": ({"write_disposition": "skip"}, "write_disposition='skip'"),
    "scd2": ({"write_disposition": {"disposition": "merge", "strategy": "scd2"}}, "'scd2'"),
    "upsert": ({"write_disposition": {"disposition": "merge", "strategy": "upsert"}}, "'upsert'"),
    "insert-only": (
        {"write_disposition": {"disposition": "merge", "strategy": "insert-only"}},
        "'insert-only'",
    ),
    "primary key": ({"primary_key": "client_id"}, "primary_key=['client_id']"),
    "another table": ({"table_name": "clients"}, "table_name='clients'"),
}


@pytest.mark.variants(1)
@pytest.mark.parametrize("unsafe", UNSAFE)
def test_an_unsafe_argument_of_run_is_refused(bare: Bare, refused: Refuse, unsafe: str) -> None:
    """dlt gives it to every resource, which would append, keep versions, or truncate tables when it loads."""
    arguments, named = UNSAFE[unsafe]

    message = refused(lambda: bare.pipeline().run(bare.source(), **arguments))

    assert named in message
    assert "the source declares how its tables are written" in message


@pytest.mark.variants(1)
@pytest.mark.parametrize(
    "unsafe", ["replace", "append", "scd2", "primary key", "merge key", "depends on the row"]
)
def test_an_unsafe_hint_of_one_resource_is_refused(bare: Bare, refused: Refuse, unsafe: str) -> None:
    """`apply_hints` reaches one resource; the message names it."""
    hints = {
        **{name: hints for name, (hints, _) in UNSAFE.items()},
        "merge key": {"merge_key": "account_id"},
        "depends on the row": {"table_name": lambda _: "x", "write_disposition": lambda _: "replace"},
    }[unsafe]
    source = bare.source()
    source.resources["oauth_clients"].apply_hints(**hints)

    assert "the resource oauth_clients" in refused(lambda: bare.pipeline().run(source))


def test_resources_without_their_source_are_refused(bare: Bare, refused: Refuse) -> None:
    """dlt would put them into a schema without the declared keys, where every merge appends."""

    def run() -> None:
        resources = list(bare.source().resources.selected.values())
        bare.pipeline(home="no schema", dataset_name="elsewhere").run(resources)

    assert "cloudflare_oauth().with_resources(" in refused(run)


def test_what_keeps_the_tables_exact_is_allowed(bare: Bare) -> None:
    """The declared way of writing, its keys, other file formats, descriptions, and a choice of resources."""
    source = bare.source()
    source.resources["oauth_clients"].apply_hints(
        primary_key=["account_id", "client_id"], columns=[{"name": "client_name", "description": "Its name."}]
    )

    bare.pipeline().run(source, write_disposition="merge", loader_file_format="insert_values")
    assert bare.is_exact()

    bare.pipeline().run(bare.source().with_resources("oauth_clients", "oauth_client_changes"))
    assert bare.is_exact()


@pytest.mark.parametrize("table_format", [None, "delta", "iceberg"])
@pytest.mark.parametrize("destination", ["filesystem", "dummy", "a function"])
def test_a_destination_that_cannot_be_exact_is_refused(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    destination: str,
    table_format: Any,
) -> None:
    """Files lose no row, not even as Delta tables; others cannot be read back."""
    api.organisation.add(ACCOUNT, client_id="1")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("DESTINATION__DUMMY__COMPLETED_PROB", "1")
    received: list[Any] = []
    chosen: Any = destination
    if destination == "a function":
        chosen = dlt.destination(lambda items, table: received.append(items), name="a_function")
    pipeline = dlt.pipeline(
        "bare", pipelines_dir=str(tmp_path / "dlt"), destination=chosen, dataset_name=DATASET
    )

    with pytest.raises(PipelineStepFailed) as failed:
        source = cloudflare_oauth(api_token=FAKE_TOKEN, base_url=api.base_url)
        pipeline.run(source, table_format=table_format)

    message = reason(failed.value)
    assert "for example duckdb or postgres" in message
    assert ("cloudflare-oauth sync --destination filesystem" in message) == (destination == "filesystem")
    assert len(api.requests) == len(received) == 0
    assert not any(files for _, _, files in os.walk(tmp_path / "lake"))
