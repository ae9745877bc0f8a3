"""What a sync says of each account: its status, and in a sentence what went wrong and what to do."""

from collections.abc import Collection
from typing import Any

from ..errors import AuthenticationError, CloudflareError, ForbiddenError, NotFoundError
from ..reading import CheckedListing
from ..records import JSON
from .diff import AccountDiff

NAMED_IN_A_MESSAGE = 5


def why_no_account(listing: CheckedListing) -> str:
    """Why a list of accounts leaves none to read."""
    if listing.rows:
        return (
            f"all {len(listing.rows)} accounts that the credentials see are excluded, "
            "so there is none to read: exclude fewer"
        )
    if listing.rejections:
        return (
            f"none of the {len(listing.rejections)} accounts in Cloudflare's list could be taken "
            f"({listing.rejections[0].reason}): name the accounts"
        )
    return 'the credentials see no account: grant "Account Settings Read", or name the accounts'


def failure_columns(error: CloudflareError) -> JSON:
    """The columns of `account_syncs` for an account that could not be read."""
    match error:
        case AuthenticationError() | ForbiddenError():
            status = "forbidden"
        case NotFoundError():
            status = "not_found"
        case _:
            status = "failed"
    return {
        "status": status,
        "http_status": error.http_status,
        "error_code": error.code,
        "error_message": str(error),
    }


def verdict_columns(listing: CheckedListing, diff: AccountDiff) -> dict[str, Any]:
    """The columns of `account_syncs` that judge an account that was read."""
    if listing.problem:
        message = f"the listing is not proven whole, so nothing was deleted: {listing.problem}"
        return {"status": "incomplete", "error_message": message}
    messages = []
    if diff.blocked:
        messages.append(
            f"{len(diff.braked)} known clients are not listed any more, more than --max-delete-fraction "
            f"allowed to vanish at once: {some(diff.braked)}; they are kept. If they are "
            "really gone, sync once with --max-delete-fraction 1"
        )
    if listing.rejections:
        messages.append(
            f"{len(listing.rejections)} rows could not be loaded (see rejected_rows), so nothing was deleted"
        )
    if listing.rejected_fields:
        messages.append(
            f"{len(listing.rejected_fields)} rows were loaded without some of their fields "
            "(see rejected_rows)"
        )
    status = "delete_blocked" if diff.blocked else "complete"
    return {"status": status, "error_message": ". ".join(messages)} if messages else {"status": status}


def some(names: Collection[str], at_most: int = NAMED_IN_A_MESSAGE) -> str:
    """The first few names in their order, and how many more there are."""
    named = sorted(names)[:at_most]
    more = len(names) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
