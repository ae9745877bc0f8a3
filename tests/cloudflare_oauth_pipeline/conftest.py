"""The fixtures that tests of the program as a process share."""

import os
from pathlib import Path

import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi


@pytest.fixture
def environment(api: FakeApi, tmp_path: Path) -> dict[str, str]:
    """Variables for the program: the fake API, its token, and an empty home."""
    return os.environ | {
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
        "CLOUDFLARE_BASE_URL": api.base_url,
    }
