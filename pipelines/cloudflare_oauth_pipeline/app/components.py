"""What the notebooks show: HTML of our own making, in which what comes from outside is text and no more.

marimo's own tables would turn addresses into links and pictures; nobody should call up what a stranger
registered by looking at it.
"""

import html
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import altair as alt
import marimo as mo
import pandas as pd

from ..cli.output.console import printable
from .frames import Data
from .settings import MENU_VARIABLE, PAGES

MOST_ROWS = 200
# A longer text gets a wider column, and a shorter one is not broken.
_SHORT, _LONG = 20, 80
# Beyond so many bars their words are told when they are asked for.
_MOST_TOLD = 8

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


_NOTHING_BUT_STYLE = "default-src 'none'; style-src 'unsafe-inline'"
_ALONE = ":root { color-scheme: light dark; } body { max-width: 72rem; margin: 1rem auto; padding: 0 1rem; }"


class Fragment(mo.Html):
    """A part of a page. `static` is what of it remains where no script runs."""

    def __init__(self, live: str, static: str | None = None) -> None:
        self.static = live if static is None else static
        super().__init__(live)


def text(value: Any) -> str:
    """A value as the text of an HTML element: null is empty, control characters are shown as escapes."""
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


def _in_co(content: str) -> str:
    return f'<div class="co">{content}</div>'


def stack(*parts: mo.Html) -> Fragment:
    """Parts one below the other."""
    return Fragment(
        "".join(part.text for part in parts),
        "".join(part.static for part in parts if isinstance(part, Fragment)),
    )


def begin(name: str, question: str, data: Data) -> Fragment:
    """The top of a page: the menu, what the page answers, of which dataset, and what could not be read."""
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
    # marimo keeps a style where it is put; it is of the whole page.
    return Fragment(f"<style>{STYLE}</style>{_in_co(menu + content)}", _in_co(content))


def heading(title: str, *paragraphs: str, level: int = 2) -> Fragment:
    """A heading, and what there is to say below it."""
    lines = "".join(f"<p>{text(paragraph)}</p>" for paragraph in paragraphs if paragraph)
    return Fragment(_in_co(f"<h{level}>{text(title)}</h{level}>{lines}"))


def note(sentence: str) -> Fragment:
    """A sentence."""
    return Fragment(_in_co(f"<p>{text(sentence)}</p>"))


def facts(numbers: Mapping[str, Any]) -> Fragment:
    """Numbers that should be seen first, each with its name."""
    each = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(number)}</dd></div>" for name, number in numbers.items()
    )
    return Fragment(_in_co(f'<dl class="facts">{each}</dl>'))


def table(
    frame: pd.DataFrame, columns: Mapping[str, str], *, nothing: str, limit: int = MOST_ROWS
) -> Fragment:
    """The first rows of a frame; `columns` names those that are shown, and what they are called.

    `nothing` is the sentence for a frame without rows.
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
    cut = len(frame) > limit
    told = f"<caption>The first {limit} of {len(frame):,}.</caption>" if cut else ""
    made = f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    attributes = 'class="scroll rows" role="region" tabindex="0" aria-label="Table"'
    return Fragment(_in_co(f"<div {attributes}>{made}</div>"))


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(value: Any, title: str) -> str:
    told = text(value)
    # On a narrow screen a row is a list of what it has, each with its title.
    return f'<td class="{_kind(value, told)}" data-of="{text(title)}">{told}</td>'


def _kind(value: Any, told: str) -> str:
    match value:
        case datetime():
            return "moment"
        case int() | float() if not isinstance(value, bool):
            return "number"
    return "short" if len(told) <= _SHORT else "long" if len(told) > _LONG else "text"


def pairs(values: Mapping[str, Any]) -> Fragment:
    """Names and values, each pair in a row; a list has a line for each element."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in values.items()
    )
    return Fragment(_in_co(f'<div class="scroll pairs"><table>{rows}</table></div>'))


def bars(
    counts: pd.DataFrame,
    *,
    title: str,
    unit: str,
    most: int = 15,
    order: Sequence[str] | None = None,
    words: str | None = None,
) -> Fragment:
    """A bar for each row of `name` and `count`, and the same in words."""
    if counts.empty:
        return stack(heading(title, level=3), note(f"No {unit}."))
    names = [printable(name).plain for name in counts["name"]]
    numbers = [int(count) for count in counts["count"]]
    values = [
        {"name": name, "count": count} for name, count in zip(names[:most], numbers[:most], strict=True)
    ]
    scale = alt.Scale(domain=[0, max(numbers[:most], default=0) or 1], nice=False)
    labels = alt.Axis(labelLimit=alt.ExprRef("windowSize()[0] < 640 ? 150 : 340"))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("count:Q", title=f"number of {unit}", axis=_whole_numbers(), scale=scale),
        # In the order of the rows, unless another is asked for.
        y=alt.Y("name:N", title=None, sort=list(order or names[:most]), axis=labels),
    )
    # The grey that differs as much from a light theme as from a dark one.
    numbered = base.mark_text(align="left", dx=3, color="#858585", fontWeight="bold").encode(text="count:Q")
    chart = (base.mark_bar() + numbered).properties(
        # Room for the number behind the longest bar.
        padding={"left": 5, "top": 5, "bottom": 5, "right": 10 + 8 * len(str(max(numbers)))},
    )
    told = words or _in_words(names, numbers, unit, most)
    return _drawn(chart, title, told, is_long=words is None and len(names) > _MOST_TOLD)


def timeline(
    counts: pd.DataFrame, *, title: str, unit: str, colours: Mapping[str, str], words: str
) -> Fragment:
    """Stacked bars for each `day`, `name` and `count`; `words` say the same."""
    if counts.empty:
        return stack(heading(title, level=3), note(f"No {unit}."))
    values = [
        {"day": f"{day:%Y-%m-%d}", "name": str(name), "count": int(count)}
        for day, name, count in counts[["day", "name", "count"]].itertuples(index=False)
    ]
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range(counts["day"].min(), counts["day"].max())]
    # As texts: Vega would move a day into the reader's time zone, and so to the day before.
    labels = alt.Axis(
        labelExpr="utcFormat(toDate(datum.value), '%d %b')", labelAngle=0, labelOverlap="greedy"
    )
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("day:O", title="day (UTC)", axis=labels, scale=alt.Scale(domain=days)),
            y=alt.Y("count:Q", title=f"number of {unit}", axis=_whole_numbers()),
            color=alt.Color("name:N", title=None, scale=scale, legend=alt.Legend(orient="top", columns=3)),
        )
    )
    return _drawn(chart, title, words)


def _whole_numbers() -> alt.Axis:
    return alt.Axis(tickMinStep=1, tickCount=6, format="d")


def _drawn(chart: Any, title: str, words: str, *, is_long: bool = False) -> Fragment:
    chart = chart.properties(
        width="container",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=f"{title}: {words}",
        # One of its menu's actions sends the data to Vega's editor on the web.
        usermeta={"embedOptions": {"actions": False}},
    )
    told = f"<p>{text(words)}</p>"
    told = f"<details><summary>In words</summary>{told}</details>" if is_long else told
    live = f"{heading(title, level=3).text}{mo.as_html(chart).text}{_in_co(told)}"
    # Without a script the words are all there is.
    return Fragment(live, heading(title, words, level=3).text)


def _in_words(names: Sequence[str], numbers: Sequence[int], unit: str, most: int) -> str:
    told = [f"{name} {number:,}" for name, number in zip(names[:most], numbers[:most], strict=True)]
    rest = len(names) - most
    return f"{unit.capitalize()}: {', '.join(told)}" + (f", and {rest:,} more." if rest > 0 else ".")


def labelled(ids: Iterable[Any], names: Iterable[Any]) -> dict[str, Any]:
    """Choices for a filter: ids by a label that is a text and there only once."""
    choices = sorted({(printable(name).plain, id) for id, name in zip(ids, names, strict=True)})
    uses = Counter(name for name, _ in choices)
    return {name if uses[name] == 1 else f"{name} ({_plain(id)})": id for name, id in choices}


def _plain(id: Any) -> str:
    return " / ".join(id) if isinstance(id, tuple) else str(id)


def document(name: str, outputs: Sequence[Any]) -> str:
    """A page that stands alone: what a notebook shows, without what needs a script."""
    links = [
        f'<a href="{page}.html"{" aria-current=page" if page == name else ""}>{title}</a>'
        for page, title in PAGES.items()
    ]
    menu = _in_co(f'<nav aria-label="Pages">{"".join(links)}</nav>')
    content = "".join(output.static for output in outputs if isinstance(output, Fragment))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_BUT_STYLE}">'
        f"<title>{PAGES[name]}: Cloudflare OAuth clients</title>"
        f"<style>{STYLE}{_ALONE}</style></head><body>{menu}{content}</body></html>\n"
    )
