"""The source's own modules against the bundled API, without a pipeline."""

from collections.abc import Callable, Iterator

import anyio
import pytest

from cloudflare_oauth import Limits
from cloudflare_oauth.answers import Answer
from cloudflare_oauth.client import CloudflareClient, Usage
from cloudflare_oauth.connection import Connection, Credentials
from cloudflare_oauth.listing import Listing, list_all
from cloudflare_oauth_pipeline.demo import DEMO_TOKEN, DemoServer

# No test waits longer than it must.
LIMITS = Limits(
    connect_seconds=1,
    read_seconds=0.3,
    total_seconds=0.6,
    attempts=5,
    first_backoff_seconds=0.001,
    longest_backoff_seconds=0.01,
)

List = Callable[..., Listing]
Get = Callable[..., Answer]


@pytest.fixture
def api() -> Iterator[DemoServer]:
    """The bundled API over an empty estate."""
    with DemoServer() as server:
        yield server


def connection_to(api: DemoServer) -> Connection:
    """The bundled API and a token for it."""
    return Connection(base_url=api.base_url, credentials=Credentials(api_token=DEMO_TOKEN))


@pytest.fixture
def get(api: DemoServer) -> Get:
    """Gets one answer of the API through the client."""

    def get(path: str = "/accounts", *, subject: str = "account a", limits: Limits = LIMITS) -> Answer:
        async def ask() -> Answer:
            async with CloudflareClient(connection_to(api), limits=limits) as client:
                return await client.get(path, {}, subject=subject, usage=Usage())

        return anyio.run(ask)

    return get


@pytest.fixture
def list_clients(api: DemoServer) -> List:
    """Lists the clients of an account, or what a path gives."""

    def list_clients(
        account: str = "a", *, path: str | None = None, key: str = "client_id", known: set[str] | None = None
    ) -> Listing:
        async def read() -> Listing:
            async with CloudflareClient(connection_to(api), limits=LIMITS) as client:
                return await list_all(
                    client,
                    path or f"/accounts/{account}/oauth_clients",
                    key=key,
                    subject=f"account {account}",
                    usage=Usage(),
                    known=known or (),
                )

        return anyio.run(read)

    return list_clients
