"""CSV that a spreadsheet opens as text: no cell is run as a formula."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

# What spreadsheets take for the beginning of a formula, or skip before one.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # full-width look-alikes


def print_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """One line of names and one a row, on standard output; JSON values as JSON text."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # The apostrophe is a spreadsheet's own mark for "this is text".
    return f"'{text}" if text.startswith(_RISKY) else text
