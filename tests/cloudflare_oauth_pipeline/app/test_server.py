"""`cloudflare-oauth explore` in a separate process: serving the pages, and refusing to start."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.destinations.target import Target
from tests.support.pages import NAMES
from tests.support.served import PROGRAM, explored


def test_every_page_is_served_until_interrupted(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Pages are on loopback and a free port, with a policy that allows no other host."""
    with explored(demo.db, tmp_path, environment) as served, served.client() as client:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?access_token=[\w-]{43}", served.printed)
        start = client.get("/")
        pages = {name: client.get(f"/{name}/") for name in NAMES}
        unknown = client.get("/other/")

    assert (start.status_code, start.headers["location"]) == (307, "/inventory/")
    assert unknown.status_code == 404
    for page in pages.values():
        assert page.status_code == 200
        assert "<marimo-mode" in page.text or "marimo" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text)


def test_without_a_dataset_it_fails_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    """The message says to run a sync first."""
    done = subprocess.run(
        [*PROGRAM, "explore", "--no-browser"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: cloudflare_oauth.duckdb does not exist yet: run `cloudflare-oauth sync` first\n"
    )


WITHOUT = """
import sys
sys.modules[{name!r}] = None
sys.argv = ["cloudflare-oauth", "explore", "--no-browser"]
from cloudflare_oauth_pipeline.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["altair", "marimo", "pandas"])
def test_without_the_extra_the_message_names_the_missing_package(
    name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The command exits with code 2 and prints the pip command to run, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(name=name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: the notebooks need the package {name}: pip install 'cloudflare-oauth-clients[notebooks]'\n"
    )


def test_the_command_line_imports_no_notebook_packages() -> None:
    """Other commands work without the extra `notebooks`, and start without its import time."""
    program = (
        "import sys, cloudflare_oauth_pipeline.cli.commands; "
        "print([name for name in ('altair', 'marimo', 'pandas', 'starlette', 'uvicorn') "
        "if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--destination", "nowhere"], "not a destination dlt knows"),
        (["--dataset", "?"], "--dataset"),
        (["--waivers", "missing.toml"], "cannot be read"),
        (["--host", "999.1.1.1"], "cannot listen there"),
        (["--allow-host", "https://pages.example/"], "not a host name"),
        (["--allow-host", "*.example"], "not a host name"),
        (["--allow-host", "pages.example:8080"], "not a host name"),
        (["--host", "0.0.0.0", "--no-token"], "everyone on the network could read the dataset"),
        (["--host", "::", "--no-token"], "everyone on the network could read the dataset"),
        (["--host", "192.0.2.1", "--no-token"], "everyone on the network could read the dataset"),
    ],
)
def test_wrong_usage_is_reported(
    demo: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """The message names the problem, and the exit code is 2."""
    monkeypatch.chdir(tmp_path)
    db = [] if "--destination" in arguments else ["--db", str(demo.db)]

    done = CliRunner().invoke(app, ["explore", "--no-browser", *db, *arguments])

    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
