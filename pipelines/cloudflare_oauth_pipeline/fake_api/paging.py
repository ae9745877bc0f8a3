"""The ways a listing is cut into pages, and what it says of itself in `result_info`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Page:
    """One page of a listing, and what a truthful API says of it."""

    rows: Sequence[Any]
    number: int
    per_page: int
    total_count: int
    total_pages: int


class PageError(ValueError):
    """`page` or `per_page` is refused."""


@dataclass(frozen=True)
class Paging:
    """How a listing treats `page` and `per_page`."""

    default_per_page: int = 20
    max_per_page: int = 50
    ignores_page: bool = False
    is_whole: bool = False
    repeats_last: bool = False
    refuses_more: bool = False
    says_total_pages: int | None = None

    @classmethod
    def honoured(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Both parameters are honoured; more a page than the maximum is silently less."""
        return cls(default_per_page=default, max_per_page=maximum)

    @classmethod
    def strict(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Both parameters are honoured; more a page than the maximum is refused with a 400."""
        return cls(default_per_page=default, max_per_page=maximum, refuses_more=True)

    @classmethod
    def capped(cls, per_page: int) -> Self:
        """Never more than so many a page, whatever is asked for, and so many if nothing is."""
        return cls(default_per_page=per_page, max_per_page=per_page)

    @classmethod
    def whole(cls) -> Self:
        """Everything in one answer, the same one for every `page`."""
        return cls(is_whole=True)

    @classmethod
    def repeating_first(
        cls, *, default: int = 20, maximum: int = 50, says_total_pages: int | None = None
    ) -> Self:
        """`page` is ignored: the first page, for ever."""
        return cls(default, maximum, ignores_page=True, says_total_pages=says_total_pages)

    @classmethod
    def repeating_last(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Past the end comes the last page again, not an empty one."""
        return cls(default, maximum, repeats_last=True)

    @classmethod
    def account_owned_token(cls) -> Self:
        """What `GET /accounts` does with a token that an account owns: page 1 of 1, for ever."""
        return cls.repeating_first(says_total_pages=1)

    def cut(self, rows: Sequence[Any], query: Mapping[str, str]) -> Page:
        """The page asked for; `PageError` if the question is refused."""
        number = asked_page(query)
        per_page = _positive(query, "per_page", self.default_per_page)
        if self.refuses_more and per_page > self.max_per_page:
            raise PageError(f"per_page must be no greater than {self.max_per_page}")
        total = len(rows)
        if self.is_whole:
            return Page(rows, 1, max(total, 1), total, 1)
        per_page = min(per_page, self.max_per_page)
        total_pages = -(-total // per_page)
        if self.ignores_page:
            number = 1
        elif self.repeats_last:
            number = min(number, max(total_pages, 1))
        start = (number - 1) * per_page
        said_pages = total_pages if self.says_total_pages is None else self.says_total_pages
        return Page(rows[start : start + per_page], number, per_page, total, said_pages)


@dataclass(frozen=True)
class ResultInfo:
    """What a listing says of itself; by default everything, and all of it true."""

    is_absent: bool = False
    is_null: bool = False
    keys: tuple[str, ...] | None = None
    changed: tuple[tuple[str, Any], ...] = ()
    total_count_offset: int = 0

    @classmethod
    def absent(cls) -> Self:
        """There is no `result_info`."""
        return cls(is_absent=True)

    @classmethod
    def null(cls) -> Self:
        """`result_info` is null."""
        return cls(is_null=True)

    @classmethod
    def only(cls, *keys: str) -> Self:
        """Some keys are there, the others are not."""
        return cls(keys=keys)

    @classmethod
    def off_by(cls, offset: int) -> Self:
        """`total_count` is wrong by so many."""
        return cls(total_count_offset=offset)

    @classmethod
    def saying(cls, **values: Any) -> Self:
        """These values, true or not: `total_count=2000`, `page=None`."""
        return cls(changed=tuple(values.items()))

    def of(self, page: Page, *, with_total_pages: bool) -> dict[str, Any] | None:
        """What is sent with this page; `None` is null."""
        if self.is_null:
            return None
        said: dict[str, Any] = {
            "page": page.number,
            "per_page": page.per_page,
            "count": len(page.rows),
            "total_count": page.total_count + self.total_count_offset,
        }
        if with_total_pages:
            said["total_pages"] = page.total_pages
        said |= dict(self.changed)
        return said if self.keys is None else {key: said[key] for key in self.keys if key in said}


def asked_page(query: Mapping[str, str]) -> int:
    """The page that is asked for; `PageError` if it is none."""
    return _positive(query, "page", 1)


def _positive(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        number = 0
    if number < 1:
        raise PageError(f"{name} must be a number greater than 0")
    return number
