"""What is listed, and how: one entry for each resource of Cloudflare's API."""

from dataclasses import dataclass
from urllib.parse import quote

from .api.endpoint import Endpoint
from .records import ACCOUNTS, ARRAYS, OAUTH_CLIENTS, OAUTH_SCOPES, RowType


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A listing of Cloudflare's API and the table its items go to.

    Attributes:
        table: the root table.
        path: below the base URL; `{account_id}` stands for the account.
        subject: what is listed, in messages.
        permission: the permission that a token needs for it; None if any credentials do.
        row_type: the identifying field, and the types of all declared fields.
        in_one_response: true if the API sends everything in one response, so that the first page is proof
            unless it counts more; false if only a proven listing counts (see `api.listing`).
    """

    table: str
    path: str
    subject: str
    permission: str | None
    row_type: RowType
    in_one_response: bool = False

    def endpoint(self, account_id: str = "") -> Endpoint:
        """Where to list it; of an account, if the path names one."""
        return Endpoint(
            path=self.path.format(account_id=quote(account_id, safe="")),
            key=self.row_type.key,
            subject=self.subject.format(account_id=account_id),
            permission=self.permission,
        )


ACCOUNT = Resource(
    table="accounts",
    path="/accounts",
    subject="the list of accounts",
    permission="Account Settings Read",
    row_type=RowType.of("id", ACCOUNTS, key_column="account_id"),
)
OAUTH_CLIENT = Resource(
    table="oauth_clients",
    path="/accounts/{account_id}/oauth_clients",
    subject="account {account_id}",
    permission="OAuth Client Read",
    row_type=RowType.of(
        "client_id", OAUTH_CLIENTS, frozenset(ARRAYS), inherited=frozenset({"account_id", "client_id"})
    ),
)
OAUTH_SCOPE = Resource(
    table="oauth_scopes",
    path="/oauth/scopes",
    subject="the catalogue of scopes",
    permission=None,
    row_type=RowType.of("id", OAUTH_SCOPES, frozenset({"scopes"}), inherited=frozenset({"id"})),
    in_one_response=True,
)
