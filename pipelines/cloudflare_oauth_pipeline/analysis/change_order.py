"""The order of the change log: a client's rows form a chain, which is right where clocks were not."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

Change = dict[str, Any]


def in_order(changes: Iterable[Change], now: datetime) -> list[tuple[datetime, Change]]:
    """Sort rows of the change log, oldest first, each with the time that it counts as seen.

    That is `observed_at`, but neither later than `now` nor earlier than the client's change before it: a time
    in the future proves only that a clock was ahead.

    Args:
        changes: with `change_id`, `previous_change_id`, `account_id`, `client_id` and `observed_at`.
    """
    by_id = {change["change_id"]: change for change in changes}
    following: dict[Any, list[Change]] = defaultdict(list)
    for change in by_id.values():
        previous = change["previous_change_id"]
        following[previous if previous in by_id else None].append(change)

    walk: list[Change] = []
    stack = following[None][::-1]
    while stack:
        walk.append(change := stack.pop())
        stack.extend(following.get(change["change_id"], ()))

    possible: dict[str, datetime] = {}
    for change in reversed(walk):
        observed_at, id_ = change["observed_at"], change["change_id"]
        if observed_at > now:
            after = (possible[later["change_id"]] for later in following.get(id_, ()))
            observed_at = min(after, default=now)
        possible[id_] = observed_at
    seen: dict[str, datetime] = {}
    for change in walk:
        id_ = change["change_id"]
        seen[id_] = max(possible[id_], seen.get(change["previous_change_id"], possible[id_]))

    # The sort is stable: of equal times, the walk has the earlier change first.
    walk.sort(key=lambda change: (seen[change["change_id"]], change["account_id"], change["client_id"]))
    return [(seen[change["change_id"]], change) for change in walk]
