"""What is listed: a path of the API, and what a message says of it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A path of the API.

    Attributes:
        path: below the base URL, already quoted.
        key: the field that identifies an item of the listing.
        subject: what is requested, in messages: `account 023e…`.
        permission: the permission that the credentials need; None if any credentials do.
        otherwise: what to do instead of granting the permission; None if there is nothing.
    """

    path: str
    key: str = "id"
    subject: str
    permission: str | None = None
    otherwise: str | None = None
