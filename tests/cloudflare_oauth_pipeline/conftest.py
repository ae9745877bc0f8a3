"""The fixtures that tests of the program as a process share."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id
from tests.support.program import NAME, PROGRAM, Start, program_in


@pytest.fixture
def environment(api: FakeApi, tmp_path: Path) -> dict[str, str]:
    """Variables for the program: the fake API, its token, and an empty home."""
    return os.environ | {
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
        "CLOUDFLARE_BASE_URL": api.base_url,
    }


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Runs the program in an empty folder."""
    return program_in(tmp_path, environment)


@pytest.fixture(scope="module")
def synced_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a dataset of one client, and the variables for the program; the API is there, too."""
    folder = tmp_path_factory.mktemp("synced")
    with FakeApi() as api:
        api.organisation.add(
            account_id("one"), client_id="client-1", client_name=NAME, redirect_uris=["https://a.example/*"]
        )
        environment = os.environ | {
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
            "CLOUDFLARE_BASE_URL": api.base_url,
        }
        subprocess.run([*PROGRAM, "sync"], cwd=folder, env=environment, capture_output=True, check=True)
        yield folder, environment


@pytest.fixture
def start_synced(synced_folder: tuple[Path, dict[str, str]]) -> Start:
    """Runs the program beside that dataset."""
    return program_in(*synced_folder)
