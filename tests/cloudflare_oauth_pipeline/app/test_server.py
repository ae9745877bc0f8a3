"""`cloudflare-oauth explore` as a process of its own, and the pages it exports."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cloudflare_oauth_pipeline.cli.commands import app
from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import Organisation, account_id
from tests.support.pages import NAMES
from tests.support.served import PROGRAM, explored

ROOT = Path(__file__).parents[3]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path / "dlt")}


def test_it_answers_every_page_until_it_is_interrupted(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """On loopback, on a free port, with a policy that lets a page ask nobody else."""
    with explored(demo.db, tmp_path, environment) as address, httpx.Client(base_url=address) as client:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
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


def test_it_answers_no_other_site(demo: Target, tmp_path: Path, environment: dict[str, str]) -> None:
    """Neither a page of another origin, nor one whose name was made to lead here."""
    with explored(demo.db, tmp_path, environment) as address:
        port = address.rstrip("/").rpartition(":")[2]
        answers = [
            httpx.get(f"{address}inventory/", headers=headers)
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Host": f"evil.example:{port}"},
                {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
            )
        ]
        own = httpx.get(f"{address}inventory/", headers={"Origin": address.rstrip("/")})

    assert [answer.status_code for answer in answers] == [403] * 4
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
    assert own.status_code == 200


def test_without_a_dataset_it_says_so(tmp_path: Path, environment: dict[str, str]) -> None:
    """And ends at once."""
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
def test_without_the_extra_it_says_what_to_install(
    name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """In a sentence."""
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


def test_no_other_command_needs_what_the_notebooks_need() -> None:
    """Importing the command line imports none of it."""
    program = (
        "import sys, cloudflare_oauth_pipeline.cli.commands; "
        "print([name for name in ('altair', 'marimo', 'pandas', 'starlette', 'uvicorn') "
        "if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--destination", "nowhere"], "not a destination dlt knows"),
        (["--dataset", "?"], "--dataset"),
        (["--waivers", "missing.toml"], "cannot be read"),
        (["--host", "999.1.1.1"], "cannot listen there"),
    ],
)
def test_wrong_usage_is_told(
    demo: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    """With exit code 2."""
    monkeypatch.chdir(tmp_path)
    db = [] if "--destination" in arguments else ["--db", str(demo.db)]

    done = CliRunner().invoke(app, ["explore", "--no-browser", *db, *arguments])

    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


def export(db: Path | None, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The exported pages by name."""
    command = [*PROGRAM, "explore", "--db", str(db), "--export", "pages"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [f"pages/{name}.html" for name in NAMES]
    return {name: (folder / "pages" / f"{name}.html").read_text("utf-8") for name in NAMES}


HARMLESS = {"html", "head", "meta", "title", "style", "body", "div", "nav", "a", "h1", "h2", "h3", "p"}
HARMLESS |= {"dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"}


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)


def test_exported_pages_ask_nobody_for_anything(
    demo: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """They are plain HTML: no script, nothing to load, and links only to each other."""
    pages = export(demo.db, tmp_path, environment)

    for html in pages.values():
        assert "default-src 'none'" in html
        elements = Elements(html)
        assert elements.tags <= HARMLESS
        assert {value for name, value in elements.attributes if name == "href"} == {
            f"{name}.html" for name in NAMES
        }
        assert not {name for name, _ in elements.attributes if name == "src" or name.startswith("on")}
        assert not re.search(r"@import|url\(", html.partition("</style>")[0])
    assert "<dt>clients</dt>" in pages["inventory"]
    assert "To mend it:" in pages["security_review"]
    assert "scopes: + " in pages["changes"]
    assert "forbidden" in pages["health"]


def test_names_in_exported_pages_are_text(
    organisation: Organisation, synced: Callable[[], Target], tmp_path: Path, environment: dict[str, str]
) -> None:
    """Whatever they are."""
    organisation.add(account_id("one"), client_id="1", client_name=HOSTILE)

    pages = export(synced().db, tmp_path, environment)

    assert "&lt;img src=x onerror=alert(1)&gt;" in pages["inventory"]
    assert "<img" not in pages["inventory"]


def test_the_wheel_brings_the_notebooks(tmp_path: Path) -> None:
    """Inside the package, where `explore` looks for them."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)

    program = "from cloudflare_oauth_pipeline.app.server import notebooks_folder as f; print(f())"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    folder = tmp_path / "cloudflare_oauth_pipeline" / "notebooks"
    assert found.stdout.strip() == str(folder)
    assert {path.stem for path in folder.glob("*.py")} == set(NAMES)
    assert {path.stem for path in ROOT.joinpath("notebooks").glob("*.py")} == set(NAMES)
