"""`cloudflare-oauth explore --export` in a separate process, and the notebooks that it runs."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cloudflare_oauth_pipeline.destinations.target import Target
from cloudflare_oauth_pipeline.fake_api import Organisation, account_id
from tests.support.pages import NAMES
from tests.support.served import PROGRAM

ROOT = Path(__file__).parents[3]
HOSTILE = "<img src=x onerror=alert(1)>"


def export(db: Path | None, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Run `explore --export` and return the HTML of each page by name."""
    command = [*PROGRAM, "explore", "--db", str(db), "--export", "pages"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [f"pages/{name}.html" for name in NAMES]
    return {name: (folder / "pages" / f"{name}.html").read_text("utf-8") for name in NAMES}


HARMLESS = {"html", "head", "meta", "title", "style", "body", "div", "nav", "a", "h1", "h2", "h3", "p"}
HARMLESS |= {"dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"}


class Elements(HTMLParser):
    """The elements and attributes that an HTML parser finds in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)


@pytest.mark.scale
def test_exported_pages_load_nothing(demo: Target, tmp_path: Path, environment: dict[str, str]) -> None:
    """They are plain HTML: no scripts, no external resources, and links only to each other."""
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
    assert "Remediation:" in pages["security_review"]
    assert "scopes: + " in pages["changes"]
    assert "forbidden" in pages["health"]


def test_names_in_exported_pages_are_escaped(
    organisation: Organisation, synced: Callable[[], Target], tmp_path: Path, environment: dict[str, str]
) -> None:
    """A client named like an HTML element adds no element to the page."""
    organisation.add(account_id("one"), client_id="1", client_name=HOSTILE)

    pages = export(synced().db, tmp_path, environment)

    assert "&lt;img src=x onerror=alert(1)&gt;" in pages["inventory"]
    assert "<img" not in pages["inventory"]


def test_the_wheel_contains_the_notebooks(tmp_path: Path) -> None:
    """They are inside the package, where `explore` looks for them."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)

    program = "from cloudflare_oauth_pipeline.app.export import notebooks_folder as f; print(f())"
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
