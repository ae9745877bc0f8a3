"""The Markdown pages of the project: the README and everything below `docs/`."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
COMMANDS = DOCS / "reference" / "commands.md"
TABLES = DOCS / "reference" / "tables.md"
SOURCE = ROOT / "sources" / "cloudflare_oauth" / "README.md"
SCHEDULE = DOCS / "how-to" / "schedule.md"

_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def all_pages() -> list[Path]:
    """Every page that a user may read, the README first."""
    return [README, *sorted(DOCS.rglob("*.md"))]


@cache
def text(page: Path) -> str:
    """The text of a page."""
    return page.read_text("utf-8")


def rows(page: Path, header: str) -> list[list[str]]:
    """The cells of each row of the table whose header begins with these cells."""
    table = text(page).split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures that lead into the repository."""
    found: list[str] = _LINK.findall(_without_code(page))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_code(page: Path) -> str:
    # A link's own text may be code, so only its backticks go; what is code in whole goes with its content.
    plain = re.sub(r"\[`([^`\n]+)`\]", r"[\1]", text(page))
    return _CODE.sub("", plain)
