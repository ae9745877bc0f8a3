"""What people read: tables and messages in which nothing from outside can act on the terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...safe_text import printable


def stdout() -> Console:
    """Results."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def stderr() -> Console:
    """Everything else."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of values as text; null is empty, numbers are right-aligned."""
    rows = [["" if value is None else value for value in row] for row in rows]
    made = Table()
    for index, name in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else printable(value) for value in row))
    return made


def print_json(value: Any) -> None:
    """One JSON document on standard output, for programs."""
    text = json.dumps(value, indent=2, default=_json_value)
    # The one control character that `json` leaves as it is.
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def complain(message: str, *, prefix: str = "error") -> None:
    """A message for a person, on standard error."""
    text = Text(f"{prefix}: ", style="bold red" if prefix == "error" else "yellow")
    stderr().print(text + printable(message))
