"""The messages between a sync and its reader process, beside results and events."""

from dataclasses import dataclass
from enum import Enum

from ..resources import Resource
from .reader import Hashes


@dataclass(frozen=True)
class Prefetch:
    """Begin to read what will be asked for; `others_may_write` as in `Reader.prefetch`."""

    others_may_write: bool


@dataclass(frozen=True)
class Begin:
    """Begin to list a resource."""

    resource: Resource
    known: Hashes


@dataclass(frozen=True)
class Await:
    """Send the listing of a resource that was begun, or its error, as soon as it is there."""

    resource: Resource


@dataclass(frozen=True)
class ReadAccounts:
    """List a resource of each account; the accounts follow, and end with `End.ACCOUNTS`."""

    resource: Resource


class End(Enum):
    """The end of a sequence of messages; an enumeration, because its members stay themselves when pickled."""

    ACCOUNTS = "no more accounts"
    READINGS = "no more readings"


Question = Prefetch | Begin | Await | ReadAccounts
