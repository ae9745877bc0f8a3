"""How listings are cut into pages, and what `result_info` says about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Page:
    """One page of a listing, and the numbers that a correct API reports with it."""

    rows: Sequence[Any]
    number: int
    per_page: int
    total_count: int
    total_pages: int


class PageError(ValueError):
    """The request's `page` or `per_page` is invalid."""


@dataclass(frozen=True)
class Paging:
    """How a listing interprets `page` and `per_page`."""

    default_per_page: int = 20
    max_per_page: int = 50
    ignores_page: bool = False
    is_whole: bool = False
    repeats_last: bool = False
    rejects_more: bool = False
    reported_total_pages: int | None = None

    @classmethod
    def honoured(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Honour both parameters; silently cap `per_page` at the maximum."""
        return cls(default_per_page=default, max_per_page=maximum)

    @classmethod
    def strict(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Honour both parameters; reject `per_page` above the maximum with a 400."""
        return cls(default_per_page=default, max_per_page=maximum, rejects_more=True)

    @classmethod
    def capped(cls, per_page: int) -> Self:
        """Cap every page at `per_page` rows, which is also the default."""
        return cls(default_per_page=per_page, max_per_page=per_page)

    @classmethod
    def whole(cls) -> Self:
        """Send everything in one response, the same for every `page`."""
        return cls(is_whole=True)

    @classmethod
    def repeating_first(
        cls, *, default: int = 20, maximum: int = 50, reported_total_pages: int | None = None
    ) -> Self:
        """Ignore `page`: send the first page for ever."""
        return cls(default, maximum, ignores_page=True, reported_total_pages=reported_total_pages)

    @classmethod
    def repeating_last(cls, *, default: int = 20, maximum: int = 50) -> Self:
        """Past the end, send the last page again instead of an empty one."""
        return cls(default, maximum, repeats_last=True)

    @classmethod
    def account_owned_token(cls) -> Self:
        """Send page 1 of 1 for ever, as `GET /accounts` does for an account-owned token."""
        return cls.repeating_first(reported_total_pages=1)

    def cut(self, rows: Sequence[Any], query: Mapping[str, str]) -> Page:
        """Cut out the requested page; raise `PageError` if the parameters are invalid."""
        number = requested_page(query)
        per_page = _positive(query, "per_page", self.default_per_page)
        if self.rejects_more and per_page > self.max_per_page:
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
        reported_pages = total_pages if self.reported_total_pages is None else self.reported_total_pages
        return Page(rows[start : start + per_page], number, per_page, total, reported_pages)


@dataclass(frozen=True)
class ResultInfo:
    """What a listing reports in `result_info`; by default everything, correctly."""

    is_absent: bool = False
    is_null: bool = False
    keys: tuple[str, ...] | None = None
    changed: tuple[tuple[str, Any], ...] = ()
    total_count_offset: int = 0

    @classmethod
    def absent(cls) -> Self:
        """Leave `result_info` out."""
        return cls(is_absent=True)

    @classmethod
    def null(cls) -> Self:
        """Send null."""
        return cls(is_null=True)

    @classmethod
    def only(cls, *keys: str) -> Self:
        """Send these keys only."""
        return cls(keys=keys)

    @classmethod
    def off_by(cls, offset: int) -> Self:
        """Misreport `total_count` by this offset."""
        return cls(total_count_offset=offset)

    @classmethod
    def saying(cls, **values: Any) -> Self:
        """Set these values, correct or not: `total_count=2000`, `page=None`."""
        return cls(changed=tuple(values.items()))

    def of(self, page: Page, *, with_total_pages: bool) -> dict[str, Any] | None:
        """The `result_info` to send with this page; `None` is null."""
        if self.is_null:
            return None
        info: dict[str, Any] = {
            "page": page.number,
            "per_page": page.per_page,
            "count": len(page.rows),
            "total_count": page.total_count + self.total_count_offset,
        }
        if with_total_pages:
            info["total_pages"] = page.total_pages
        info |= dict(self.changed)
        return info if self.keys is None else {key: info[key] for key in self.keys if key in info}


def requested_page(query: Mapping[str, str]) -> int:
    """The requested page number; raises `PageError` if it is invalid."""
    return _positive(query, "page", 1)


def _positive(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        number = 0
    if number < 1:
        raise PageError(f"{name} must be a number greater than 0")
    return number
