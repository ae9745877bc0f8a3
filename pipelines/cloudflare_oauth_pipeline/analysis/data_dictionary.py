"""Data dictionary: Markdown for every table, view and rule, generated from the code by `make docs`."""

from collections.abc import Iterator

from cloudflare_oauth import declared_schema

from .rules import load_rules
from .views import load_views

_INTRODUCTION = """\
# Data dictionary

Every table, view and rule of the dataset. `make docs` generates this file from the declarations in the code,
and a test compares the two. Types are dlt's; the destination has its own names for them. When Cloudflare adds
a field to its API, its column appears in the dataset without being listed here."""


def data_dictionary() -> str:
    """Return the whole document as Markdown."""
    return "\n".join([_INTRODUCTION, *_tables(), *_views(), *_rules()]) + "\n"


def _tables() -> Iterator[str]:
    yield "\n## Tables"
    schema = declared_schema()
    for name in schema.data_table_names():
        table = schema.tables[name]
        yield f"\n### `{name}`\n\n{table['description']}\n"
        yield "| column | type | description |\n|---|---|---|"
        for column in table["columns"].values():
            described = _cell(column.get("description") or "")
            key = " Key." if column.get("primary_key") else ""
            yield f"| `{column['name']}` | {column['data_type']} | {described}{key} |"


def _views() -> Iterator[str]:
    yield "\n## Views"
    for view in load_views().values():
        yield f"\n### `{view.name}`\n\n{view.row}\n"
        yield "| column | description |\n|---|---|"
        for name, described in view.columns.items():
            yield f"| `{name}` | {_cell(described)} |"


def _rules() -> Iterator[str]:
    yield "\n## Rules\n"
    yield "A rule gives no verdict on a client that lacks a field it requires: there is nothing to judge."
    yield "[Security rules](rules.md) describes how a rule is written."
    yield "Numbers of rules that were dropped are not reused."
    for rule in load_rules():
        requires = ", ".join(" or ".join(f"`{field}`" for field in either) for either in rule.requires)
        yield f"\n### {rule.id}: {rule.title}\n"
        yield f"- **Topic:** {rule.topic}"
        yield f"- **Severity:** {', '.join(rule.severities)}"
        yield f"- **Risk:** {rule.risk}"
        yield f"- **Remediation:** {rule.remediation}"
        yield f"- **Reference:** {rule.reference}"
        yield f"- **Requires:** {requires}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(data_dictionary(), end="")
