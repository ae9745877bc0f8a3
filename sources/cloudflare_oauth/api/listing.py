"""Turns pages into a listing that is proven whole, or known not to be.

Cloudflare does not document whether its listings can be paged, so the listing is proven, not assumed:

- A listing is whole if its first response holds as many distinct items as `total_count` says, and every item
  that was known.
- Otherwise pages are read until that many items have arrived, or until a page brings nothing new: an empty
  page (the end), or one seen before (a server that ignores `page` would send it for ever).
- A `total_count` that moves, or that differs from the number of distinct items, means that the listing
  changed during the reading, or that the server miscounts: it is read again, at most twice.
- Without a `total_count`, only two readings that agree, each up to an empty page, are proof.
- Before a known item counts as missing, a second reading, up to the page that brings nothing new, has to
  agree: a removal and an addition between two pages shift items past the reader without moving
  `total_count`, a `total_count` that is too low may be reached before the end, and a single wrong response,
  even an empty one that counts 0, would delete everything.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio

from ..errors import CloudflareError
from .client import CloudflareClient, Usage
from .endpoint import Endpoint
from .responses import ApiResponse

# The largest page that Cloudflare's documented listings allow.
PER_PAGE = 50
READINGS = 3
PAGES_AT_ONCE = 16
# 100,000 items. Without a limit a server could send new ones for ever.
MAX_PAGES = 2_000
NO_AGREEMENT = "no two readings of it agree"


@dataclass(frozen=True)
class Listing:
    """The items of a listing in the API's order, and whether they are proven to be all of them.

    `problem` says what speaks against that; None if and only if the listing is whole.
    `reported_total` is the API's last `total_count`, None if it sent none.
    """

    items: list[Any]
    problem: str | None
    reported_total: int | None

    @property
    def complete(self) -> bool:
        """Whether the items are proven to be all there are."""
        return self.problem is None


@dataclass(frozen=True)
class Page:
    """One response: its items, and the number of all items."""

    items: list[Any]
    total_count: int | None


@dataclass
class Reading:
    """One pass over the pages: up to the count, or to the end if the count is not trusted.

    `items` are the distinct items by identity, in the API's order.
    """

    to_the_end: bool = False
    items: dict[Hashable, Any] = field(default_factory=dict)
    totals: set[int | None] = field(default_factory=set)
    last_total_count: int | None = None
    pages: int = 0
    reached_end: bool = False
    repeated: bool = False

    def add(self, page: Page, key: str) -> None:
        before = len(self.items)
        self.items.update((_identity(item, key), item) for item in page.items)
        self.pages += 1
        self.totals.add(page.total_count)
        self.last_total_count = page.total_count
        self.reached_end = not page.items
        self.repeated = bool(page.items) and len(self.items) == before

    @property
    def counted(self) -> bool:
        """Whether as many distinct items arrived as every page said there are."""
        return self.totals == {len(self.items)}

    @property
    def over(self) -> bool:
        return (
            (self.counted and not self.to_the_end)
            or self.reached_end
            or self.repeated
            or len(self.totals) > 1
            or self.pages >= MAX_PAGES
        )

    @property
    def pages_to_come(self) -> int:
        """How many pages to request next: as many as are missing if the server goes on as it began.

        At most as many as have arrived so far, so that a server that repeats itself or lies about its count
        costs at most twice as many requests as one page at a time would.
        """
        if self.last_total_count is None or self.pages == 0:
            return 1
        missing = self.last_total_count - len(self.items)
        per_page = max(1, len(self.items) // self.pages)
        needed = max(1, -(-missing // per_page))
        return min(needed, self.pages, PAGES_AT_ONCE, MAX_PAGES - self.pages)

    def holds(self, known: Collection[str]) -> bool:
        """Whether none of these items is missing."""
        return all(identity in self.items for identity in known)

    def is_proof(self, known: Collection[str]) -> bool:
        """Whether this reading alone proves that nothing is missing; never if a known item is."""
        is_empty = self.pages == 1 and self.totals == {None} and not self.items
        return self.holds(known) and (self.counted or is_empty)

    def agrees_with(self, other: "Reading") -> bool:
        return self.items.keys() == other.items.keys() and self.totals == other.totals

    @property
    def problem(self) -> str | None:
        """What speaks against this reading, even if another one agrees with it."""
        if self.counted or (self.totals == {None} and self.reached_end):
            return None
        if len(self.totals) > 1:
            return "it changed while it was read"
        if self.pages >= MAX_PAGES:
            return f"it does not end within {MAX_PAGES} pages"
        if self.totals == {None}:
            return "the API repeats a page and does not say how many there are"
        return f"{len(self.items)} arrived, but the API says there are {self.last_total_count}"

    def listing(self, problem: str | None) -> Listing:
        return Listing(list(self.items.values()), problem, self.last_total_count)


async def read_once(
    client: CloudflareClient, endpoint: Endpoint, usage: Usage, *, to_the_end: bool = False
) -> Reading:
    """Read a listing once, in one response or page by page.

    Source: `GET {path}?page=…&per_page=…`.

    Args:
        to_the_end: read until a page brings nothing new, whatever `total_count` says.

    Raises:
        CloudflareError: as `CloudflareClient.get`, or the result is not an array.
    """

    reading = Reading(to_the_end)
    while not reading.over:
        first = reading.pages + 1
        numbers = range(first, first + reading.pages_to_come)
        for page in await _in_order(partial(_get_page, client, endpoint, usage), numbers):
            if not reading.over:
                reading.add(page, endpoint.key)
    return reading


async def list_all(
    client: CloudflareClient,
    endpoint: Endpoint,
    usage: Usage,
    *,
    known: Collection[str] = (),
    first: Reading | None = None,
) -> Listing:
    """List everything, with as many readings as it takes to prove the listing.

    Source: `GET {path}?page=…&per_page=…`.

    Args:
        known: identities of the items in an earlier listing.
        first: the first reading, if `read_once` has made it already.

    Returns:
        The items of the last reading, each identity once, in the API's order.

    Raises:
        CloudflareError: as `read_once`.
    """

    async def read(*, to_the_end: bool = False) -> Reading:
        return await read_once(client, endpoint, usage, to_the_end=to_the_end)

    reading = first or await read()
    for _ in range(READINGS - 1):
        if reading.is_proof(known):
            return reading.listing(None)
        # Counted, and still no proof: a known item is missing, so from now on read to the end.
        earlier, reading = reading, await read(to_the_end=reading.to_the_end or reading.counted)
        if reading.agrees_with(earlier):
            # Another reading would say the same again.
            return reading.listing(reading.problem)
    if reading.is_proof(known):
        return reading.listing(None)
    return reading.listing(reading.problem or NO_AGREEMENT)


async def list_one_response(
    client: CloudflareClient, endpoint: Endpoint, usage: Usage, *, known: Collection[str] = ()
) -> Listing:
    """List what the API sends in one response: everything, unless the response itself counts more.

    A response that lacks a known item has to be followed by one that agrees.

    Source: `GET {path}?page=…&per_page=…`.

    Args:
        known: identities of the items in an earlier listing.

    Raises:
        CloudflareError: as `list_all`.
    """
    earlier: Reading | None = None
    for _ in range(READINGS):
        reading = Reading()
        reading.add(await _get_page(client, endpoint, usage, 1), endpoint.key)
        if not reading.counted and reading.totals != {None}:
            return await list_all(client, endpoint, usage, known=known)
        if reading.holds(known) or (earlier and reading.agrees_with(earlier)):
            return reading.listing(None)
        earlier = reading
    return reading.listing(NO_AGREEMENT)


async def list_first_page(client: CloudflareClient, endpoint: Endpoint, usage: Usage) -> Listing:
    """List one page, to learn whether the credentials may read the listing at all.

    Source: `GET {path}?page=1&per_page=…`.

    Raises:
        CloudflareError: as `list_all`.
    """
    page = await _get_page(client, endpoint, usage, 1)
    return Listing(page.items, "only its first page was asked for", page.total_count)


async def _get_page(client: CloudflareClient, endpoint: Endpoint, usage: Usage, number: int) -> Page:
    return _page(await client.get(endpoint, {"page": number, "per_page": PER_PAGE}, usage), endpoint)


async def _in_order(get_page: Callable[[int], Awaitable[Page]], numbers: range) -> list[Page]:
    """Request pages at the same time and return them in order."""
    if len(numbers) == 1:
        return [await get_page(numbers[0])]
    pages: dict[int, Page] = {}

    async def get(number: int) -> None:
        pages[number] = await get_page(number)

    try:
        async with anyio.create_task_group() as tasks:
            for number in numbers:
                tasks.start_soon(get, number)
    except* CloudflareError as errors:
        # One error is enough to end the reading.
        raise errors.exceptions[0] from None
    return [pages[number] for number in numbers]


def _identity(item: Any, key: str) -> Hashable:
    value = item.get(key) if isinstance(item, dict) else None
    if isinstance(value, str) and value:
        return value
    # A tuple, so that the stand-in for an item without an id can equal no id.
    try:
        return (json.dumps(item, sort_keys=True),)
    except RecursionError:
        # Nested too deeply to be compared: it equals no other item.
        return (id(item),)


def _page(response: ApiResponse, endpoint: Endpoint) -> Page:
    total_count = _total_count(response)
    items = response.result
    if items is None and not total_count:
        # How some servers write an empty array.
        items = []
    if not isinstance(items, list):
        raise CloudflareError(
            f"{endpoint.subject}: Cloudflare sent {type(items).__name__} where a list belongs; "
            "nothing of it was used",
            http_status=200,
        )
    return Page(items, total_count)


def _total_count(response: ApiResponse) -> int | None:
    value = response.result_info.get("total_count")
    return value if type(value) is int and value >= 0 else None
