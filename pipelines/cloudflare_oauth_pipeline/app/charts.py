"""Charts, each followed by its content as text, for screen readers and for pages without scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import marimo as mo
import pandas as pd

from ..safe_text import printable
from .components import Fragment, heading, note, stack, styled, text

# The text of a chart with more bars than this is collapsed.
_MOST_WORDED = 8


def bars(
    counts: pd.DataFrame,
    *,
    title: str,
    unit: str,
    most: int = 15,
    order: Sequence[str] | None = None,
    words: str | None = None,
) -> Fragment:
    """A bar chart, followed by its content as text.

    Args:
        counts: one row per bar, with `name` and `count`.
        title: the heading.
        unit: what is counted, in the plural.
        most: the maximum number of bars.
        order: the names from top to bottom; by default the order of the rows.
        words: the text; by default every bar's name and count.
    """
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
        y=alt.Y("name:N", title=None, sort=list(order or names[:most]), axis=labels),
    )
    # This grey has the same contrast in the light theme as in the dark one.
    numbered = base.mark_text(align="left", dx=3, color="#858585", fontWeight="bold").encode(text="count:Q")
    chart = (base.mark_bar() + numbered).properties(
        # Room for the number after the longest bar.
        padding={"left": 5, "top": 5, "bottom": 5, "right": 10 + 8 * len(str(max(numbers)))},
    )
    described = words or _in_words(names, numbers, unit, most)
    return _rendered(chart, title, described, is_long=words is None and len(names) > _MOST_WORDED)


def timeline(
    counts: pd.DataFrame, *, title: str, unit: str, colours: Mapping[str, str], words: str
) -> Fragment:
    """Stacked bars per day, followed by the text `words`, which says the same.

    Args:
        counts: rows of `day`, `name` and `count`.
        title: the heading.
        unit: what is counted, in the plural.
        colours: the colour of each name, in the order of the legend.
        words: the content of the chart as text.
    """
    if counts.empty:
        return stack(heading(title, level=3), note(f"No {unit}."))
    values = [
        {"day": f"{day:%Y-%m-%d}", "name": str(name), "count": int(count)}
        for day, name, count in counts[["day", "name", "count"]].itertuples(index=False)
    ]
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range(counts["day"].min(), counts["day"].max())]
    # Days are strings: Vega would convert dates to the browser's time zone, which can shift them by a day.
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
    return _rendered(chart, title, words)


def _whole_numbers() -> alt.Axis:
    return alt.Axis(tickMinStep=1, tickCount=6, format="d")


def _rendered(chart: Any, title: str, words: str, *, is_long: bool = False) -> Fragment:
    chart = chart.properties(
        width="container",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=f"{title}: {words}",
        # Vega's menu offers to send the data to its online editor.
        usermeta={"embedOptions": {"actions": False}},
    )
    paragraph = f"<p>{text(words)}</p>"
    below = f"<details><summary>As text</summary>{paragraph}</details>" if is_long else paragraph
    live = f"{heading(title, level=3).text}{mo.as_html(chart).text}{styled(below)}"
    # The chart needs a script; without one, only the text remains.
    return Fragment(live, heading(title, words, level=3).text)


def _in_words(names: Sequence[str], numbers: Sequence[int], unit: str, most: int) -> str:
    parts = [f"{name} {number:,}" for name, number in zip(names[:most], numbers[:most], strict=True)]
    rest = len(names) - most
    return f"{unit.capitalize()}: {', '.join(parts)}" + (f", and {rest:,} more." if rest > 0 else ".")
