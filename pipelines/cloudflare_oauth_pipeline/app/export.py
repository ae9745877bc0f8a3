"""Finds and runs the notebooks, and writes their pages as plain HTML.

marimo and pandas are imported late: `require_notebooks` first checks that they are installed.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING, Any

from cloudflare_oauth import ConfigurationError

from ..destinations.target import Target
from .settings import PAGES, environment_of

if TYPE_CHECKING:
    import marimo

_REQUIRED_PACKAGES = ("altair", "marimo", "pandas", "uvicorn")
_CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_DOCUMENT_STYLE = (
    ":root { color-scheme: light dark; } body { max-width: 72rem; margin: 1rem auto; padding: 0 1rem; }"
)


def notebooks_folder() -> Path:
    """The folder of the notebooks: in the installed package, or in the clone."""
    installed = Path(__file__).parents[1] / "notebooks"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "notebooks"


def require_notebooks() -> None:
    """Check that the packages of the extra `notebooks` are installed, without importing them.

    Raises:
        ConfigurationError: one of them is missing.
    """
    for name in _REQUIRED_PACKAGES:
        if find_spec(name) is None:
            raise ConfigurationError(
                f"the notebooks need the package {name}: pip install 'cloudflare-oauth-clients[notebooks]'"
            )


def export(target: Target, folder: Path, *, waivers: Path | None = None) -> list[Path]:
    """Write the pages as HTML that needs neither a server nor a script and loads nothing from any host.

    Returns:
        The files, the start page first.

    Raises:
        ConfigurationError: the extra `notebooks` is not installed, or the folder cannot be written.
        DestinationError: the dataset cannot be read, or does not exist yet.
    """
    require_notebooks()
    # Not at the top: it imports pandas.
    from .frames import require_dataset

    require_dataset(target)
    before = dict(os.environ)
    os.environ.update(environment_of(target, waivers))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name in PAGES:
            outputs, _ = load_notebook(name).run()
            file = folder / f"{name}.html"
            file.write_text(document(name, outputs), "utf-8")
            files.append(file)
    except OSError as error:
        raise ConfigurationError(f"--export {folder}: {error.strerror}") from None
    finally:
        # For what the caller does next, they would name this dataset, too.
        for name in environment_of(target, waivers):
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]
    return files


def load_notebook(name: str) -> "marimo.App":
    """Load a notebook as a marimo app that can be run in this process."""
    file = notebooks_folder() / f"{name}.py"
    app: marimo.App = run_path(str(file), run_name=f"{__package__}.notebooks.{name}")["app"]
    return app


def document(name: str, outputs: Sequence[Any]) -> str:
    """A self-contained HTML document: the outputs of a notebook, without the parts that need a script."""
    # Lazy: `components` imports marimo and pandas.
    from .components import STYLE, Fragment, styled

    links = [
        f'<a href="{page}.html"{" aria-current=page" if page == name else ""}>{title}</a>'
        for page, title in PAGES.items()
    ]
    menu = styled(f'<nav aria-label="Pages">{"".join(links)}</nav>')
    content = "".join(output.static for output in outputs if isinstance(output, Fragment))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_SECURITY_POLICY}">'
        f"<title>{PAGES[name]}: Cloudflare OAuth clients</title>"
        f"<style>{STYLE}{_DOCUMENT_STYLE}</style></head><body>{menu}{content}</body></html>\n"
    )
