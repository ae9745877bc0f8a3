"""CSV that a spreadsheet opens as text: no cell is run as a formula."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ...safe_text import visible

# What spreadsheets take for the beginning of a formula, or skip before one.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # full-width look-alikes
# What some spreadsheet, by its locale, takes for the end of a cell or a line; and spaces that it would drop.
_QUOTED = re.compile(r'[,;|\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029"]|^[\s\']|\s$')


def print_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """One line of names and one a row, on standard output; JSON values as JSON text.

    On a terminal, control and invisible characters are shown as escapes. Programs get them as they are.
    """
    shown = visible if sys.stdout.isatty() else str
    for cells in (columns, *([_text(row[name]) for name in columns] for row in rows)):
        sys.stdout.write(",".join(_cell(shown(cell)) for cell in cells) + "\n")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # The apostrophe is a spreadsheet's own mark for "this is text".
    return f"'{text}" if text.startswith(_RISKY) else text


def _cell(text: str) -> str:
    if not _QUOTED.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'
