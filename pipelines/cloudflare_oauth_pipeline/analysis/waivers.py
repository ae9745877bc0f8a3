"""Waivers: accepted findings, listed by the user in `waivers.toml`.

[[waiver]]
rule = "RU-05"
subject = "http://localhost:*"    # optional, * matches anything; also optional: account, client
until = 2027-03-31                # optional, valid to the end of that day (UTC); by default for ever
reason = "Login of the CLI; moves to 127.0.0.1 in March."
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cloudflare_oauth import ConfigurationError

from .rules import literal, load_rules

DEFAULT_FILE = Path("waivers.toml")

_KINDS: dict[str, type] = dict.fromkeys(("rule", "reason", "account", "client", "subject"), str) | {
    "until": date
}
_LIKE = str.maketrans({"!": "!!", "%": "!%", "_": "!_", "*": "%"})


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A waiver: what it covers, until when, and why. None matches anything, as does `*` in `subject`."""

    rule: str
    reason: str
    account: str | None = None
    client: str | None = None
    subject: str | None = None
    until: date | None = None

    @property
    def query(self) -> str:
        """A query that returns the waiver as one row, in DuckDB's dialect."""
        given = {
            "rule_id": self.rule,
            # As every account id is stored.
            "account_id": self.account and self.account.lower(),
            "client_id": self.client,
            "subject": None if self.subject is None else self.subject.translate(_LIKE),
            "reason": self.reason,
        }
        columns = [f"{_text(value)} AS {name}" for name, value in given.items()]
        until = "NULL" if self.until is None else literal(self.until.isoformat())
        return f"SELECT {', '.join(columns)}, CAST({until} AS DATE) AS until"

    @property
    def is_expired(self) -> bool:
        """Whether its last day (UTC) is over."""
        return self.until is not None and self.until < datetime.now(UTC).date()

    def matches(self, finding: Mapping[str, Any]) -> bool:
        """Whether it names this finding, as the view `oauth_client_findings` decides, expired or not."""
        given = (
            (self.rule, finding["rule_id"]),
            (self.account and self.account.lower(), finding["account_id"]),
            (self.client, finding["client_id"]),
        )
        if any(named is not None and named != found for named, found in given):
            return False
        if self.subject is None:
            return True
        pattern = ".*".join(map(re.escape, self.subject.split("*")))
        return re.fullmatch(pattern, finding["subject"] or "", re.DOTALL) is not None

    def __str__(self) -> str:
        """The rule, and what else the waiver names."""
        named = {"account": self.account, "client": self.client, "subject": self.subject}
        return ", ".join(
            [self.rule, *(f"{key} {value!r}" for key, value in named.items() if value is not None)]
        )


def without_effect(waivers: Sequence[Waiver], findings: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """A sentence for each waiver that is expired or matches none of the findings, in the file's order.

    Args:
        findings: all findings of all accounts; None if they are unknown, so that only dates are judged.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings or ():
        found.setdefault(finding["rule_id"], []).append(finding)
    told = []
    for number, waiver in enumerate(waivers, start=1):
        if waiver.is_expired:
            told.append(f"waiver {number} ({waiver}) expired after {waiver.until}: renew or remove it")
        elif findings is not None and not any(map(waiver.matches, found.get(waiver.rule, ()))):
            told.append(f"waiver {number} ({waiver}) matches no finding: correct or remove it")
    return told


def _text(value: str | None) -> str:
    return f"CAST({'NULL' if value is None else literal(value)} AS VARCHAR)"


def waivers_query(waivers: Sequence[Waiver]) -> str:
    """A query for all waivers: rule_id, account_id, client_id, subject (for LIKE), reason, until."""
    if not waivers:
        return Waiver(rule="", reason="").query + " WHERE FALSE"
    return " UNION ALL ".join(waiver.query for waiver in waivers)


def load_waivers(file: Path | None = None) -> list[Waiver]:
    """Read a waivers file; by default `waivers.toml` in the current folder, if it exists.

    Raises:
        ConfigurationError: the file cannot be read or contains an invalid waiver; the message says which one.
    """
    path = file or DEFAULT_FILE
    try:
        # Some editors begin a file with a byte order mark.
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        if file is None and isinstance(error, FileNotFoundError):
            return []
        raise ConfigurationError(f"the waivers file {path} cannot be read: {error}") from None
    entries = content.get("waiver", [])
    if content.keys() - {"waiver"} or not isinstance(entries, list):
        raise ConfigurationError(f"{path}: the file may contain only waivers, each under [[waiver]]")
    return [_waiver(f"{path}, waiver {number}", entry) for number, entry in enumerate(entries, start=1)]


def _waiver(where: str, entry: Any) -> Waiver:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: a waiver must be a table under [[waiver]]")
    for name, value in entry.items():
        if name not in _KINDS:
            raise ConfigurationError(f"{where}: unknown key {name!r}; the keys are {', '.join(_KINDS)}")
        if type(value) is not _KINDS[name]:
            kind = "a date, such as 2027-03-31 without quotes" if name == "until" else "a string"
            raise ConfigurationError(f"{where}: {name} must be {kind}")
        if isinstance(value, str) and "\0" in value:
            raise ConfigurationError(f"{where}: {name} contains the character NUL, which is in no name")
    for name in ("rule", "reason"):
        if not entry.get(name):
            raise ConfigurationError(f"{where}: {name} is missing or empty")
    if entry["rule"] not in {rule.id for rule in load_rules()}:
        raise ConfigurationError(f"{where}: there is no rule {entry['rule']!r}")
    return Waiver(**entry)
