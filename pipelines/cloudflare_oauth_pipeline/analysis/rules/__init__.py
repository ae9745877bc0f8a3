"""The security rules: one file each in `rules/`, a header and a query.

The header names, a line each: id, title, severity (several, if the query gives one of them), why it matters,
how to mend it, the reference, and what it needs of a client: fields that must not be null, or arrays that
must not be empty (`a | b`: one of them). Of a client that lacks it, the rule can say nothing. The query
selects account_id, client_id, subject and detail, and severity if there are several.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cloudflare_oauth.records.tables import ARRAYS

SEVERITIES = ("low", "medium", "high", "critical")

_HEADER = re.compile(r"-- (\w+): (.+)\n")
_FIELDS = ("id", "title", "severity", "why", "mend", "reference", "needs")


@dataclass(frozen=True)
class Rule:
    """A rule; `query` is SQL in DuckDB's dialect, over the tables without a schema."""

    id: str
    title: str
    severities: tuple[str, ...]
    why: str
    mend: str
    reference: str
    needs: tuple[tuple[str, ...], ...]
    query: str

    @property
    def findings(self) -> str:
        """A query for the rule's findings, with rule_id, severity and reference."""
        severity = "r.severity" if len(self.severities) > 1 else literal(self.severities[0])
        return (
            f"SELECT {literal(self.id)} AS rule_id, {severity} AS severity, r.account_id, r.client_id, "
            f"r.subject, r.detail, {literal(self.reference)} AS reference FROM ({self.query}) AS r"
        )

    @property
    def is_evaluable(self) -> str:
        """A condition on a client `c`: whether it has what the rule needs."""
        return " AND ".join(f"({' OR '.join(map(_is_given, either))})" for either in self.needs)


def _is_given(field: str) -> str:
    if field not in ARRAYS:
        return f"c.{field} IS NOT NULL"
    return (
        f"EXISTS (SELECT 1 FROM oauth_clients__{field} AS a WHERE a.account_id = c.account_id "
        "AND a.client_id = c.client_id AND a.value IS NOT NULL)"
    )


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


@cache
def load_rules() -> tuple[Rule, ...]:
    """All rules, by id.

    Raises:
        ValueError: a file's header is not as it should be; the message names the file.
    """
    return tuple(sorted(_read_rules(), key=lambda rule: rule.id))


def _read_rules() -> Iterator[Rule]:
    for file in files(__package__).iterdir():
        if file.name.endswith(".sql"):
            yield parse_rule(file.name, file.read_text("utf-8"))


def parse_rule(name: str, text: str) -> Rule:
    """A rule from the text of its file.

    Raises:
        ValueError: the header is not as it should be.
    """
    header: dict[str, str] = {}
    position = 0
    while line := _HEADER.match(text, position):
        header[line[1]] = line[2].strip()
        position = line.end()
    severities = tuple(part.strip() for part in header.get("severity", "").split(","))
    if tuple(header) != _FIELDS or not set(severities) <= set(SEVERITIES) or f"{header['id']}.sql" != name:
        raise ValueError(
            f"rules/{name}: the header has to have, in this order, {', '.join(_FIELDS)}; the id is the "
            f"file's name, and severities are {', '.join(SEVERITIES)}"
        )
    return Rule(
        id=header["id"],
        title=header["title"],
        severities=severities,
        why=header["why"],
        mend=header["mend"],
        reference=header["reference"],
        needs=tuple(
            tuple(field.strip() for field in either.split("|")) for either in header["needs"].split(",")
        ),
        query=text[position:].strip(),
    )
