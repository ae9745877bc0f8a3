"""Findings that somebody has decided to live with: `waivers.toml`, kept by the user.

[[waiver]]
rule = "RU-05"
subject = "http://localhost:*"    # a pattern; also: account, client
until = 2027-03-31                # it holds to the end of that day (UTC); for ever by default
reason = "The CLI's login; moves to 127.0.0.1 in March."
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .rules import literal, load_rules

DEFAULT_FILE = Path("waivers.toml")

_KINDS: dict[str, type] = dict.fromkeys(("rule", "reason", "account", "client", "subject"), str) | {
    "until": date
}
_LIKE = str.maketrans({"!": "!!", "%": "!%", "_": "!_", "*": "%"})


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """What is waived, until when, and why; None is any. In `subject`, `*` stands for anything."""

    rule: str
    reason: str
    account: str | None = None
    client: str | None = None
    subject: str | None = None
    until: date | None = None

    @property
    def query(self) -> str:
        """A row of the waiver, in DuckDB's dialect."""
        given = {
            "rule_id": self.rule,
            "account_id": self.account,
            "client_id": self.client,
            "subject": None if self.subject is None else self.subject.translate(_LIKE),
            "reason": self.reason,
        }
        columns = [f"{_text(value)} AS {name}" for name, value in given.items()]
        until = "NULL" if self.until is None else literal(self.until.isoformat())
        return f"SELECT {', '.join(columns)}, CAST({until} AS DATE) AS until"


def _text(value: str | None) -> str:
    return f"CAST({'NULL' if value is None else literal(value)} AS VARCHAR)"


def waivers_query(waivers: Sequence[Waiver]) -> str:
    """All of them as a query: rule_id, account_id, client_id, subject (for LIKE), reason, until."""
    if not waivers:
        return Waiver(rule="", reason="").query + " WHERE FALSE"
    return " UNION ALL ".join(waiver.query for waiver in waivers)


def load_waivers(file: Path | None = None) -> list[Waiver]:
    """Read a file of waivers; `waivers.toml` of the current folder, if there is one, by default.

    Raises:
        UsageError: it cannot be read, or says something that is no waiver; the message says which.
    """
    if file is None and not DEFAULT_FILE.exists():
        return []
    file = file or DEFAULT_FILE
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the waivers in {file} cannot be read: {error}") from None
    entries = content.get("waiver", [])
    if content.keys() - {"waiver"} or not isinstance(entries, list):
        raise UsageError(f"{file}: write each waiver under [[waiver]], and nothing else")
    return [_waiver(f"{file}, waiver {number}", entry) for number, entry in enumerate(entries, start=1)]


def _waiver(where: str, entry: Any) -> Waiver:
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: write it under [[waiver]]")
    for name, value in entry.items():
        if name not in _KINDS:
            raise UsageError(f"{where}: {name!r} is none of {', '.join(_KINDS)}")
        if type(value) is not _KINDS[name]:
            kind = "a date, such as 2027-03-31 without quotes" if name == "until" else "a text"
            raise UsageError(f"{where}: {name} has to be {kind}")
    for name in ("rule", "reason"):
        if not entry.get(name):
            raise UsageError(f"{where}: it has no {name}")
    if entry["rule"] not in {rule.id for rule in load_rules()}:
        raise UsageError(f"{where}: there is no rule {entry['rule']!r}")
    return Waiver(**entry)
