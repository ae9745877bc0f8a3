"""SQL views: one file per view, written in DuckDB's dialect and translated by sqlglot.

The header of a file describes a row and each column. The query reads the tables and may also use three common
table expressions, which are prepended when needed: `all_findings` and `all_rules`, made from all the rules,
and `waivers`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ...destinations.dataset import tables_of, with_subqueries
from ..rules import literal, load_rules
from ..waivers import Waiver, waivers_query

# In order of creation, because a view may use those before it.
NAMES = ("oauth_client_findings", "oauth_rule_coverage", "oauth_client_overview", "account_health")

_HEADER = re.compile(r"-- (\w+): (.+(?:\n--   .+)*)\n")


@dataclass(frozen=True)
class View:
    """A view: what a row is, its column descriptions, and a query over table names without a schema."""

    name: str
    row: str
    columns: dict[str, str]
    query: str

    def select(self, waivers: Sequence[Waiver] = ()) -> str:
        """Return the complete query with its common table expressions, in DuckDB's dialect."""
        rules = load_rules()
        parts: dict[str, Callable[[], str]] = {
            "waivers": lambda: waivers_query(waivers),
            "all_findings": lambda: " UNION ALL ".join(rule.findings for rule in rules),
            "all_rules": lambda: " UNION ALL ".join(
                f"SELECT {literal(rule.id)} AS rule_id, {literal(rule.title)} AS title, "
                "(SELECT COUNT(*) FROM oauth_clients) AS clients, "
                f"(SELECT COUNT(*) FROM oauth_clients AS c WHERE {rule.is_evaluable}) AS evaluable"
                for rule in rules
            ),
        }
        used = {name: query() for name, query in parts.items() if re.search(rf"\b{name}\b", self.query)}
        ctes = ", ".join(f"{name} AS ({query})" for name, query in used.items())
        return f"WITH {ctes} {self.query}" if used else self.query


@cache
def load_views() -> dict[str, View]:
    """Load all views by name, each after the views that it uses."""
    return {name: _read_view(name) for name in NAMES}


def _read_view(name: str) -> View:
    text = (files(__package__) / f"{name}.sql").read_text("utf-8")
    header: dict[str, str] = {}
    position = 0
    while line := _HEADER.match(text, position):
        header[line[1]] = line[2].strip()
        position = line.end()
    return View(name, header.pop("row"), header, text[position:].strip())


def with_views(query: str, waivers: Sequence[Waiver] = ()) -> str:
    """Prepend the queries of the views that a query uses.

    The stored views may have older waivers, and not every destination has views.
    """
    views = load_views()
    used = tables_of(query)
    needed: dict[str, str] = {}
    for name in reversed(views):
        if name in used:
            needed[name] = views[name].select(waivers)
            used |= tables_of(views[name].query)
    return with_subqueries(query, {name: needed[name] for name in reversed(needed)})
