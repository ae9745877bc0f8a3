"""The page docs/rules.md matches the rules."""

import re
from collections import defaultdict
from pathlib import Path

from cloudflare_oauth_pipeline.analysis import rules
from cloudflare_oauth_pipeline.analysis.rules import load_rules

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
TEXT = PAGE.read_text("utf-8")
FOLDER = Path(rules.__file__).parent


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, as cells without backquotes."""
    _, _, rest = TEXT.partition(f"\n| {first} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_rule_is_on_the_page_and_the_other_way_round() -> None:
    """The table of rules has the id, title, severities and topic of each rule, and no other rows."""
    shown = [[re.sub(r"\[(.+)\]\(.+\)", r"\1", cells[0]), *cells[1:]] for cells in table("id")]

    assert shown == [[rule.id, rule.title, ", ".join(rule.severities), rule.topic] for rule in load_rules()]


def test_every_rule_is_linked_to_its_file() -> None:
    """Each id in the table links to the file of that rule."""
    links = [re.fullmatch(r"\[(.+)\]\((.+)\)", cells[0]) for cells in table("id")]
    linked = {link[1]: (PAGE.parent / link[2]).resolve() for link in links if link}

    files = {file.name[:5]: file for file in FOLDER.glob("*/*.sql")}
    assert linked == files
    assert files.keys() == {rule.id for rule in load_rules()}


def test_every_topic_is_on_the_page_and_the_other_way_round() -> None:
    """The table of topics has the prefix and the folder of each topic."""
    shown = {(cells[0], cells[1]) for cells in table("prefix")}

    assert shown == {(rule.id[:2], rule.topic) for rule in load_rules()}


def test_the_gaps_in_the_numbering_are_explained() -> None:
    """Each number below a topic's highest is either a rule or listed as unused, and never both."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for rule in load_rules():
        prefix, number = rule.id.split("-")
        numbers[prefix].add(int(number))
    gaps = {
        f"{prefix}-{number:02}"
        for prefix, used in numbers.items()
        for number in range(1, max(used))
        if number not in used
    }

    unused = {cells[0]: cells[1] for cells in table("unused id")}
    assert unused.keys() == gaps
    for reason in unused.values():
        related = set(re.findall(r"[A-Z]{2}-\d{2}", reason))
        assert related
        assert related <= {rule.id for rule in load_rules()}


def test_the_example_is_a_rule_as_it_is() -> None:
    """The example is the complete text of the file that the page names."""
    example = re.search(r"`(\w+/[A-Z]{2}-\d{2}[a-z-]+\.sql)`:\n\n```sql\n(.+?)\n```", TEXT, re.DOTALL)

    assert example
    assert (FOLDER / example[1]).read_text("utf-8").strip() == example[2]
