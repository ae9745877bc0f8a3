"""Security rules: one SQL file per rule, in one folder per topic.

A file is called `<topic>/<id>-<slug>.sql` and consists of a header and a query. The header has one line each
for the id, title, severity (several, if the query chooses one of them), risk, remediation, reference and
`requires`: client fields that must not be null and arrays that must not be empty (`a | b`: at least one of
them). For a client that lacks a required field, the rule is not evaluable. The query selects account_id,
client_id, subject and detail, and also severity if the header lists several.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cloudflare_oauth.records import ARRAYS

SEVERITIES = ("low", "medium", "high", "critical")

_FILE_NAME = re.compile(r"([A-Z]{2}-[0-9]{2})-[a-z0-9]+(?:-[a-z0-9]+)*\.sql")
_HEADER = re.compile(r"-- (\w+): (.+)\n")
_FIELDS = ("id", "title", "severity", "risk", "remediation", "reference", "requires")


@dataclass(frozen=True)
class Rule:
    """A security rule; `query` is SQL in DuckDB's dialect, over table names without a schema."""

    id: str
    topic: str
    title: str
    severities: tuple[str, ...]
    risk: str
    remediation: str
    reference: str
    requires: tuple[tuple[str, ...], ...]
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
        """An SQL condition on a client `c`: whether it has every field that the rule requires."""
        return " AND ".join(f"({' OR '.join(map(_is_given, either))})" for either in self.requires)


def _is_given(field: str) -> str:
    if field not in ARRAYS:
        return f"c.{field} IS NOT NULL"
    return (
        f"EXISTS (SELECT 1 FROM oauth_clients__{field} AS a WHERE a.account_id = c.account_id "
        "AND a.client_id = c.client_id AND a.value IS NOT NULL)"
    )


def literal(text: str) -> str:
    """Quote a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


@cache
def load_rules() -> tuple[Rule, ...]:
    """Load all rules, sorted by id.

    Raises:
        ValueError: a file is misplaced or misnamed, its header is invalid, or its id is taken; the message
            names the file.
    """
    return tuple(sorted(_read_rules(), key=lambda rule: rule.id))


def _read_rules() -> Iterator[Rule]:
    ids: set[str] = set()
    for topic in files(__package__).iterdir():
        if topic.name.endswith(".sql"):
            raise ValueError(f"rules/{topic.name}: move the file into the folder of a topic")
        if not topic.is_dir():
            continue
        for file in topic.iterdir():
            if file.name.endswith(".sql"):
                rule = parse_rule(topic.name, file.name, file.read_text("utf-8"))
                if rule.id in ids:
                    raise ValueError(f"rules/{topic.name}/{file.name}: another rule has the id {rule.id}")
                ids.add(rule.id)
                yield rule


def parse_rule(topic: str, name: str, text: str) -> Rule:
    """Parse a rule from the folder, name and text of its file.

    Raises:
        ValueError: the file name or the header is invalid.
    """
    named = _FILE_NAME.fullmatch(name)
    if named is None:
        raise ValueError(
            f"rules/{topic}/{name}: the file name must be <id>-<slug>.sql, such as "
            "RU-02-pattern-in-redirect.sql; a slug is lower-case words joined by '-'"
        )
    header: dict[str, str] = {}
    position = 0
    while line := _HEADER.match(text, position):
        header[line[1]] = line[2].strip()
        position = line.end()
    severities = tuple(part.strip() for part in header.get("severity", "").split(","))
    if tuple(header) != _FIELDS or not set(severities) <= set(SEVERITIES) or header["id"] != named[1]:
        raise ValueError(
            f"rules/{topic}/{name}: the header must have, in this order, {', '.join(_FIELDS)}; the id must "
            f"be the one in the file name, and the severities are {', '.join(SEVERITIES)}"
        )
    return Rule(
        id=header["id"],
        topic=topic,
        title=header["title"],
        severities=severities,
        risk=header["risk"],
        remediation=header["remediation"],
        reference=header["reference"],
        requires=tuple(
            tuple(field.strip() for field in either.split("|")) for either in header["requires"].split(",")
        ),
        query=text[position:].strip(),
    )
