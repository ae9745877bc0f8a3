"""The limits of a destination."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DestinationLimits:
    """What a destination can hold; the defaults suit one of which nothing is known.

    `holds_nul`: whether a text may contain the character NUL.
    """

    holds_nul: bool = False
