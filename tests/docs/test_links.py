"""The pages hold together: every link leads somewhere, and every page can be found."""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, INDEX, README, ROOT, all_pages, anchors, links, text

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in all_pages()]
ALSO = [
    pytest.param(ROOT / name, id=name)
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "sources/cloudflare_oauth/README.md")
]


@pytest.mark.parametrize("page", [*PAGES, *ALSO])
def test_every_relative_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    """Also those to folders and pictures."""
    for target in links(page):
        name, _, fragment = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if fragment:
            assert fragment in anchors(linked), target


def test_every_page_can_be_reached_from_the_index() -> None:
    """Nothing is written that no link leads to."""
    reached, waiting = set[Path](), [INDEX]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        waiting += [
            linked
            for target in links(page)
            if (linked := (page.parent / target.partition("#")[0]).resolve()).is_relative_to(DOCS)
            and linked.suffix == ".md"
        ]

    assert set(DOCS.rglob("*.md")) - reached == set()


def test_the_index_names_every_page_itself() -> None:
    """One line each, so that a reader need not search."""
    named = {(DOCS / target.partition("#")[0]).resolve() for target in links(INDEX)}

    assert set(DOCS.rglob("*.md")) - named == {INDEX}


def test_the_readme_is_one_screen_and_a_bit() -> None:
    """At most 200 lines; everything else is below `docs/`."""
    assert len(text(README).splitlines()) <= 200


def test_every_picture_is_shown_and_is_small() -> None:
    """Small enough for a page that opens at once: 150 kB each."""
    shown = {
        (page.parent / target).resolve()
        for page in all_pages()
        for target in links(page)
        if target.endswith(".png")
    }

    assert shown == set((DOCS / "pictures").iterdir())
    assert len(shown) == 4
    for picture in shown:
        assert 10_000 < picture.stat().st_size < 150_000
