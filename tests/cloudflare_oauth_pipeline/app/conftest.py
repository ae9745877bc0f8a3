"""Fixtures of the tests that run `explore` in a separate process."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables with an empty home and dlt folder."""
    return os.environ | {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path / "dlt")}
