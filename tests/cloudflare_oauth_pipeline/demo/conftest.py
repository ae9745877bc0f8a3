"""The bundled API, and a client that asks it as its users do."""

from collections.abc import Iterator

import httpx
import pytest

from cloudflare_oauth_pipeline.demo import DEMO_TOKEN, DemoServer


@pytest.fixture
def api() -> Iterator[DemoServer]:
    """A running API without accounts."""
    with DemoServer() as api:
        yield api


@pytest.fixture
def http(api: DemoServer) -> Iterator[httpx.Client]:
    """A client with the API's base URL and valid credentials."""
    headers = {"authorization": f"Bearer {DEMO_TOKEN}"}
    # it is plain HTTP: loading certificates would take longer than all the tests
    with httpx.Client(base_url=api.base_url, headers=headers, timeout=5, verify=False) as client:
        yield client
