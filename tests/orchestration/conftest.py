"""The fixtures of the examples' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestration.two_tokens import TwoTokens, two_tokens
from tests.support.warehouses import Postgres


@pytest.fixture
def both(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoTokens]:
    """Two tokens, and the variables that name them."""
    with two_tokens(server, tmp_path, monkeypatch) as both:
        yield both
