"""Parses times as users type them: an age or a date."""

import re
from datetime import UTC, datetime, timedelta

from cloudflare_oauth import ConfigurationError

_AGE = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """An age: `30m`, `12h`, `7d`, `2w`.

    Raises:
        ConfigurationError: it is none.
    """
    age = _AGE.fullmatch(text)
    if age is None:
        raise ConfigurationError(f"{text!r} is not an age: use 30m, 12h, 7d or 2w.")
    return timedelta(**{_UNITS[age[2]]: int(age[1])})


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """A moment: an age before now, a date or a timestamp (UTC unless it says otherwise).

    Raises:
        ConfigurationError: it is none of them.
    """
    if _AGE.fullmatch(text):
        return (now or datetime.now(UTC)) - parse_age(text)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"--since {text!r}: use an age (12h, 7d, 2w) or a date (2026-11-23)."
        ) from None
