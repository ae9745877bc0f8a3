"""Renders the pictures in the README: the pages of `explore` on the demo, in a browser.

Run it with `make pictures` or `python -m tests.support.pictures`.
"""

import os
import tempfile
from pathlib import Path

from cloudflare_oauth import events
from cloudflare_oauth_pipeline.demo.story import run_demo
from cloudflare_oauth_pipeline.destinations.target import Target
from tests.support.browser import find_chromium, opened
from tests.support.pages import LAST
from tests.support.served import explored

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
THEMES = {"inventory": "light", "security_review": "light", "changes": "dark", "health": "dark"}


def main() -> None:
    """Run the demo, serve it, and save a screenshot of each page."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_demo(Target(db=folder / "demo.duckdb", pipelines_dir=folder / "dlt"), observer=events.ignore)
        with (
            explored(Path("demo.duckdb"), folder, os.environ) as served,
            opened(find_chromium()) as window,
        ):
            window.driver.get(served.printed)
            for page, theme in THEMES.items():
                window.prefer(theme)
                window.visit(f"{served.address}{page}/", until=LAST[page])
                file = PICTURES / f"{page}.png"
                file.write_bytes(window.driver.get_screenshot_as_png())
                print(file.relative_to(PICTURES.parents[1]), file.stat().st_size)


if __name__ == "__main__":
    main()
