"""The fixtures that tests share: the fake API, the command line, a PostgreSQL server."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import hypothesis
import pytest
from typer.testing import CliRunner

from cloudflare_oauth import Limits
from cloudflare_oauth.api.client import CloudflareClient, Usage
from cloudflare_oauth.api.endpoint import Endpoint
from cloudflare_oauth.api.listing import Listing, list_all, list_one_response
from cloudflare_oauth.api.responses import ApiResponse
from cloudflare_oauth.resources import OAUTH_SCOPE
from cloudflare_oauth_pipeline.app.settings import VARIABLES
from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi
from cloudflare_oauth_pipeline.run.summary import Summary
from cloudflare_oauth_pipeline.run.sync import sync
from tests.support.client_settings import LIMITS, Get, List, settings_for
from tests.support.commands import Done, Run
from tests.support.warehouses import (
    LAKES,
    Delta,
    DeltaOnS3,
    DuckDB,
    DuckLake,
    Postgres,
    Sync,
    Warehouse,
    postgres_server,
    s3_server,
)

pytest_plugins = ["tests.support.pages"]

# What passed once passes again: new examples are for `make sweep` to find.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if "SWEEP" not in os.environ:
    hypothesis.settings.load_profile("repeatable")

# A test that uses one of these fixtures, or whose module uses one of these names, is not quick.
SERVERS = {
    "api",
    "demo",
    "http",
    "get",
    "large",
    "list_clients",
    "list_scopes",
    "run",
    "server",
    "show",
    "sync_into",
    "synced",
    "synced_folder",
    "wheel",
}
PROCESSES = {"FakeApi", "subprocess", "sync", "CliRunner", "webdriver"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need no process, browser or server as `quick`, and surplus variants as `scale`."""
    variants = Counter[str]()
    for item in items:
        assert isinstance(item, pytest.Function)
        function = f"{item.path}::{item.originalname}"
        variants[function] += 1
        kept = item.get_closest_marker("variants")
        if kept and variants[function] > kept.args[0]:
            item.add_marker("scale")
        if SERVERS.isdisjoint(item.fixturenames) and PROCESSES.isdisjoint(vars(item.module)):
            item.add_marker("quick")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """The fake API without accounts."""
    with FakeApi() as server:
        yield server


@pytest.fixture
def http(api: FakeApi) -> Iterator[httpx.Client]:
    """A plain HTTP client with the fake API's base URL and valid credentials."""
    headers = {"authorization": f"Bearer {FAKE_TOKEN}"}
    # It is plain HTTP: loading certificates would take longer than all the tests.
    with httpx.Client(base_url=api.base_url, headers=headers, timeout=5, verify=False) as client:
        yield client


@pytest.fixture
def get(api: FakeApi) -> Get:
    """Gets one response of the fake API through the client."""

    def get(path: str = "/accounts", *, subject: str = "account a", limits: Limits = LIMITS) -> ApiResponse:
        async def ask() -> ApiResponse:
            async with CloudflareClient(settings_for(api, limits=limits)) as client:
                endpoint = Endpoint(path=path, subject=subject, permission="OAuth Client Read")
                return await client.get(endpoint, {}, Usage())

        return anyio.run(ask)

    return get


@pytest.fixture
def list_clients(api: FakeApi) -> List:
    """Lists the clients of an account, or the items below a path."""

    def list_clients(
        account: str = "a", *, path: str | None = None, key: str = "client_id", known: set[str] | None = None
    ) -> Listing:
        async def read() -> Listing:
            async with CloudflareClient(settings_for(api)) as client:
                path_of_clients = f"/accounts/{account}/oauth_clients"
                endpoint = Endpoint(path=path or path_of_clients, key=key, subject=f"account {account}")
                return await list_all(client, endpoint, Usage(), known=known or ())

        return anyio.run(read)

    return list_clients


@pytest.fixture
def list_scopes(api: FakeApi) -> List:
    """Lists the catalogue of scopes."""

    def list_scopes(*, known: set[str]) -> Listing:
        async def read() -> Listing:
            async with CloudflareClient(settings_for(api)) as client:
                return await list_one_response(client, OAUTH_SCOPE.endpoint(), Usage(), known=known)

        return anyio.run(read)

    return list_scopes


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `cloudflare-oauth` with these arguments, in an empty folder with an empty home."""
    # Exporting the pages sets the variables of the dataset.
    for name in ("CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", *VARIABLES.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", FAKE_TOKEN)
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", api.base_url)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server, and its first database; tests make databases of their own in it."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def sync_into(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """Syncs into a warehouse, each time from a new machine."""
    machines = count()

    def sync_into(warehouse: Warehouse) -> Summary:
        for name, value in warehouse.environment.items():
            monkeypatch.setenv(name, value)
        target = Target(
            destination=warehouse.destination, pipelines_dir=tmp_path / f"machine-{next(machines)}"
        )
        return sync(target, settings_for(api))

    return sync_into


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeltaOnS3]:
    """An S3 server on loopback, with an empty bucket."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def _warehouse(request: pytest.FixtureRequest, folder: Path) -> Warehouse:
    if request.param == "duckdb":
        return DuckDB(folder / "clients.duckdb")
    if request.param == "filesystem":
        # A difficult name, because the libraries in between quote paths in different ways.
        return Delta(folder / "a folder of 100% Ω")
    if request.param == "ducklake":
        return DuckLake(folder / "lake")
    if request.param == "filesystem on s3":
        bucket: DeltaOnS3 = request.getfixturevalue("s3")
        return bucket.emptied(folder.name)
    server: Postgres = request.getfixturevalue("server")
    if request.param == "ducklake in postgres":
        return DuckLake(folder / "lake", server.emptied(folder.name))
    return server.emptied(folder.name)


def _slow(*names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.scale) for name in names]


@pytest.fixture(params=["postgres", "filesystem", *_slow(*LAKES)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Each of the destinations but DuckDB in turn, empty."""
    return _warehouse(request, tmp_path)


# Each test with a lake takes half a minute: `make scale` has some, by name, and `make sweep` all.
@pytest.fixture(
    params=["duckdb", *_slow("postgres", "filesystem", *(LAKES if "SWEEP" in os.environ else []))]
)
def any_warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Each of the destinations in turn, empty."""
    return _warehouse(request, tmp_path)
