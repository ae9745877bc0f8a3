"""What is listed, and how: one entry for each resource of Cloudflare's API."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from .api.endpoint import Endpoint
from .records import ACCOUNTS, ARRAYS, OAUTH_CLIENTS, OAUTH_SCOPES, Rejection, Row, RowType
from .settings import is_account_id


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A listing of Cloudflare's API and the table its items go to.

    Attributes:
        table: the root table.
        path: below the base URL; `{account_id}` stands for the account.
        subject: what is listed, in messages.
        permission: the permission that a token needs for it; None if any credentials do.
        otherwise: as in `Endpoint`.
        row_type: the identifying field, and the types of all declared fields.
        lists_accounts: true if the key is an account id, which becomes part of paths and has one spelling.
        in_one_response: true if the API sends everything in one response, so that the first page is proof
            unless it counts more or lacks a known item; false if only a proven listing counts (see
            `api.listing`).
    """

    table: str
    path: str
    subject: str
    permission: str | None
    row_type: RowType
    otherwise: str | None = None
    lists_accounts: bool = False
    in_one_response: bool = False

    def endpoint(self, account_id: str = "") -> Endpoint:
        """Where to list it; of an account, if the path names one."""
        return Endpoint(
            path=self.path.format(account_id=quote(account_id, safe="")),
            key=self.row_type.key,
            subject=self.subject.format(account_id=account_id),
            permission=self.permission,
            otherwise=self.otherwise,
        )

    def check(
        self,
        item: Any,
        stored_hashes: Mapping[str, str] = MappingProxyType({}),
        dropped: set[str] | None = None,
    ) -> Row | Rejection:
        """As `RowType.check`; an account's id becomes lower case, and is rejected if it is no account id."""
        if not self.lists_accounts:
            return self.row_type.check(item, stored_hashes, dropped)
        account_id: Any = item.get(self.row_type.key) if isinstance(item, dict) else None
        if is_account_id(account_id):
            return self.row_type.check(
                {**item, self.row_type.key: account_id.lower()}, stored_hashes, dropped
            )
        checked = self.row_type.check(item, dropped=dropped)
        if isinstance(checked, Rejection):
            return checked
        return Rejection(checked.document, f"{self.row_type.key}: not 32 hexadecimal characters")


ACCOUNT = Resource(
    table="accounts",
    path="/accounts",
    subject="the list of accounts",
    permission="Account Settings Read",
    otherwise="if they may not list accounts, name them (--account, CLOUDFLARE_ACCOUNT_ID)",
    row_type=RowType.of("id", ACCOUNTS, key_column="account_id"),
    lists_accounts=True,
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
