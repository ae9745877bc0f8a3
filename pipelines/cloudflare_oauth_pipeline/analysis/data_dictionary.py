"""The data dictionary, as `make docs` writes it: tables, views and rules, as the code declares them."""

from collections.abc import Iterator

from cloudflare_oauth.dlt_schema import declared_schema

from .rules import load_rules
from .views import load_views

_INTRODUCTION = """\
# Data dictionary

Every table, view and rule of the dataset. This file is made of the declarations in the code by `make docs`;
a test holds it to them. Types are dlt's; the destination has its own names for them. A field that Cloudflare
adds to its API arrives by itself and is not listed here."""


def data_dictionary() -> str:
    """The whole document, as Markdown."""
    return "\n".join([_INTRODUCTION, *_tables(), *_views(), *_rules()]) + "\n"


def _tables() -> Iterator[str]:
    yield "\n## Tables"
    schema = declared_schema()
    for name in schema.data_table_names():
        table = schema.tables[name]
        yield f"\n### `{name}`\n\n{table['description']}\n"
        yield "| column | type | is |\n|---|---|---|"
        for column in table["columns"].values():
            described = _cell(column.get("description") or "")
            key = " Key." if column.get("primary_key") else ""
            yield f"| `{column['name']}` | {column['data_type']} | {described}{key} |"


def _views() -> Iterator[str]:
    yield "\n## Views"
    for view in load_views().values():
        yield f"\n### `{view.name}`\n\n{view.row}\n"
        yield "| column | is |\n|---|---|"
        for name, described in view.columns.items():
            yield f"| `{name}` | {_cell(described)} |"


def _rules() -> Iterator[str]:
    yield "\n## Rules\n"
    yield "A rule says nothing of a client that lacks what it needs: there is nothing to judge."
    for rule in load_rules():
        needs = ", ".join(" or ".join(f"`{field}`" for field in either) for either in rule.needs)
        yield f"\n### {rule.id}: {rule.title}\n"
        yield f"- **Severity:** {', '.join(rule.severities)}"
        yield f"- **Why:** {rule.why}"
        yield f"- **Mend:** {rule.mend}"
        yield f"- **Reference:** {rule.reference}"
        yield f"- **Needs:** {needs}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(data_dictionary(), end="")
