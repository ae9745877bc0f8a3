"""The HTML parts of a page: headings, tables, key figures, filter choices.

All values are escaped and shown as plain text. marimo's own tables would turn URLs into links and images, and
an address that an unknown party registered must not be requested just because a page shows it.
"""

import html
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import marimo as mo
import pandas as pd

from ..safe_text import printable
from .frames import Data
from .settings import MENU_VARIABLE, PAGES

MOST_ROWS = 200
# Up to `_SHORT` characters a cell does not wrap; beyond `_LONG` its column gets more width.
_SHORT, _LONG = 20, 80

STYLE = """
.co { font-family: system-ui, sans-serif; line-height: 1.45; overflow-wrap: anywhere; }
.co h1 { font-size: 1.7rem; margin: .2rem 0 .3rem; } .co h2 { font-size: 1.25rem; margin: .8rem 0 .3rem; }
.co h3 { font-size: 1.05rem; margin: .6rem 0 .2rem; } .co p { margin: .3rem 0; max-width: 75ch; }
.co nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0 3rem .5rem 0;
  border-bottom: 1px solid rgba(128,128,128,.5); }
.co nav a { color: inherit; } .co nav [aria-current] { font-weight: 700; text-decoration: none; }
.co .quiet { opacity: .8; } .co .scroll { overflow-x: auto; }
.co .notice { border-left: 4px solid #d97706; padding: .3rem .8rem; margin: .5rem 0; }
.co table { border-collapse: collapse; font-size: .875rem; width: 100%; }
.co caption { text-align: left; padding: .2rem 0; } .co th { text-align: left; overflow-wrap: normal; }
.co th, .co td { padding: .25rem .7rem .25rem 0; vertical-align: top; white-space: pre-line;
  border-bottom: 1px solid rgba(128,128,128,.3); }
.co td { max-width: 34rem; } .co td.short, .co td.moment { white-space: nowrap; }
.co td.long { min-width: 20rem; } .co .number { text-align: right; font-variant-numeric: tabular-nums; }
.co summary { cursor: pointer; }
.co dl.facts { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: .6rem 0; }
.co dl.facts div { display: flex; flex-direction: column-reverse; }
.co dl.facts dd { font-size: 1.6rem; font-weight: 650; margin: 0; font-variant-numeric: tabular-nums; }
.co dl.facts dt { opacity: .8; font-size: .85rem; }
@media (max-width: 40rem) {
  .co .rows thead { display: none; }
  .co .rows table, .co .rows caption, .co .rows tbody, .co .rows tr { display: block; }
  .co .rows tr { border-bottom: 1px solid rgba(128,128,128,.5); padding: .3rem 0; }
  .co .rows td { display: inline-block; border: 0; min-width: 0; max-width: 100%; text-align: left;
    padding: 0 1rem 0 0; }
  .co .pairs th, .co .pairs td { display: block; } .co .pairs th { border: 0; padding-bottom: 0; }
  .co .rows td:empty { display: none; } .co .rows td::before { content: attr(data-of) ": "; opacity: .8; }
}
"""


class Fragment(mo.Html):
    """A part of a page; `static` is its HTML for pages without scripts."""

    def __init__(self, live: str, static: str | None = None) -> None:
        self.static = live if static is None else static
        super().__init__(live)


def text(value: Any) -> str:
    """Escape a value as HTML text: null is empty, control characters are shown as escapes."""
    match value:
        case None:
            return ""
        case list() | tuple():
            return "\n".join(map(text, value))
        case bool():
            return "yes" if value else "no"
        case _ if pd.isna(value):
            return ""
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
        case _:
            return html.escape(printable(value).plain)


def styled(content: str) -> str:
    """Wrap HTML in the element that `STYLE` applies to."""
    return f'<div class="co">{content}</div>'


def stack(*parts: mo.Html) -> Fragment:
    """Stack parts vertically."""
    return Fragment(
        "".join(part.text for part in parts),
        "".join(part.static for part in parts if isinstance(part, Fragment)),
    )


def begin(name: str, question: str, data: Data) -> Fragment:
    """The top of a page: the menu, the question it answers, the dataset, and what could not be read."""
    menu = ""
    if os.environ.get(MENU_VARIABLE):
        links = [
            f'<a href="../{page}/"{" aria-current=page" if page == name else ""}>{title}</a>'
            for page, title in PAGES.items()
        ]
        menu = f'<nav aria-label="Pages">{"".join(links)}</nav>'
    notices = "".join(f'<p class="notice" role="status">{text(notice)}</p>' for notice in data.notices)
    content = (
        f'<h1>{PAGES[name]}</h1><p>{text(question)}</p><p class="quiet">{text(data.target)}</p>{notices}'
    )
    # marimo leaves a style element in place, and there it applies to the whole page.
    return Fragment(f"<style>{STYLE}</style>{styled(menu + content)}", styled(content))


def heading(title: str, *paragraphs: str, level: int = 2) -> Fragment:
    """A heading with paragraphs below it."""
    lines = "".join(f"<p>{text(paragraph)}</p>" for paragraph in paragraphs if paragraph)
    return Fragment(styled(f"<h{level}>{text(title)}</h{level}>{lines}"))


def note(sentence: str) -> Fragment:
    """A paragraph of one sentence."""
    return Fragment(styled(f"<p>{text(sentence)}</p>"))


def facts(numbers: Mapping[str, Any]) -> Fragment:
    """Key figures, each with its name."""
    each = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(number)}</dd></div>" for name, number in numbers.items()
    )
    return Fragment(styled(f'<dl class="facts">{each}</dl>'))


def table(
    frame: pd.DataFrame, columns: Mapping[str, str], *, nothing: str, limit: int = MOST_ROWS
) -> Fragment:
    """The first rows of a frame as a table.

    Args:
        frame: the rows.
        columns: the columns to show, with their titles.
        nothing: the sentence shown for a frame without rows.
        limit: the maximum number of rows; a caption says when there are more.
    """
    if frame.empty:
        return note(nothing)
    shown = frame.head(limit)
    numeric = {name for name in columns if pd.api.types.is_numeric_dtype(frame[name].dtype)}
    numeric -= {name for name in columns if pd.api.types.is_bool_dtype(frame[name].dtype)}
    head = "".join(
        f'<th scope="col"{_class(name in numeric)}>{text(title)}</th>' for name, title in columns.items()
    )
    rows = "".join(
        f"<tr>{''.join(map(_cell, row, columns.values()))}</tr>"
        for row in shown[list(columns)].astype("object").itertuples(index=False, name=None)
    )
    is_cut = len(frame) > limit
    caption = f"<caption>The first {limit} of {len(frame):,} rows.</caption>" if is_cut else ""
    made = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    attributes = 'class="scroll rows" role="region" tabindex="0" aria-label="Table"'
    return Fragment(styled(f"<div {attributes}>{made}</div>"))


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(value: Any, title: str) -> str:
    escaped = text(value)
    # On a narrow screen a row becomes a list of values, and the style shows each one's title.
    return f'<td class="{_kind(value, escaped)}" data-of="{text(title)}">{escaped}</td>'


def _kind(value: Any, escaped: str) -> str:
    match value:
        case datetime():
            return "moment"
        case int() | float() if not isinstance(value, bool):
            return "number"
    return "short" if len(escaped) <= _SHORT else "long" if len(escaped) > _LONG else "text"


def pairs(values: Mapping[str, Any]) -> Fragment:
    """Names and values, one pair per row; a list has one line per element."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in values.items()
    )
    return Fragment(styled(f'<div class="scroll pairs"><table>{rows}</table></div>'))


def labelled(ids: Iterable[Any], names: Iterable[Any]) -> dict[str, Any]:
    """Filter choices: ids by a unique, printable label; names that are not unique get the id appended."""
    choices = sorted({(printable(name).plain, id) for id, name in zip(ids, names, strict=True)})
    uses = Counter(name for name, _ in choices)
    return {name if uses[name] == 1 else f"{name} ({_plain(id)})": id for name, id in choices}


def _plain(id: Any) -> str:
    return " / ".join(id) if isinstance(id, tuple) else str(id)
