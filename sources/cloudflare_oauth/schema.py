"""The tables: their columns, types, keys and descriptions, as declared to dlt."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from dlt.common.normalizers.json.relational import DataItemNormalizer
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.common.schema.utils import new_table

SCHEMA_NAME = "cloudflare_oauth"
# Marks a row for removal while it is merged; no stored row has it.
DELETED = "_deleted"

ARRAYS = {
    "redirect_uris": "URI that an authorization response may be sent to.",
    "scopes": "Scope that the client may request; `id` in `oauth_scopes`, or a protocol scope.",
    "optional_scopes": "Scope that the authorizing user may decline; also in `scopes`.",
    "grant_types": "Grant type: `authorization_code` or `refresh_token`.",
    "response_types": "Response type: `code`, `token` or `id_token`.",
    "allowed_cors_origins": "Origin whose scripts may call the token endpoint.",
    "post_logout_redirect_uris": "URI that a user may be sent to after logging out.",
}


@dataclass(frozen=True)
class Column:
    """A column: its name, dlt's data type, what is in it, and dlt's other hints."""

    name: str
    data_type: str
    description: str
    hints: dict[str, bool] = field(default_factory=dict)

    def declared(self) -> TColumnSchema:
        """The column as dlt takes it."""
        return cast(
            TColumnSchema,
            {"name": self.name, "data_type": self.data_type, "description": self.description, **self.hints},
        )


def _column(name: str, data_type: str, description: str, **hints: bool) -> Column:
    return Column(name, data_type, description, hints)


def _key(name: str, description: str) -> Column:
    return _column(name, "text", description, nullable=False, primary_key=True)


_CONTENT = (
    _column("content_hash", "text", "Hash of all that the API sent of it, whatever the order of arrays."),
    _column("observed_at", "timestamp", "When a sync first saw this content."),
    _column(DELETED, "bool", "Always null: marks rows for removal while they are merged.", hard_delete=True),
)

ACCOUNTS = (
    _key("account_id", "Id of the account: 32 hexadecimal characters."),
    _column("name", "text", "Name of the account."),
    _column("type", "text", "Type of the account: `standard` or `enterprise`."),
    _column("created_on", "timestamp", "When the account was created."),
    _column("settings__enforce_twofactor", "bool", "Whether members must use two-factor authentication."),
    *_CONTENT,
)

# Computed (see `derived`), not sent: an item's field of the same name could not be stored.
CLIENT_FACTS = (
    _column("client_name_skeleton", "text", "What the name looks like: names that look alike share it."),
    _column("client_domain", "text", "Registrable domain of `client_uri`; its host, if that is an address."),
    _column("logo_domain", "text", "The same of `logo_uri`."),
    _column("policy_domain", "text", "The same of `policy_uri`."),
    _column("tos_domain", "text", "The same of `tos_uri`."),
)

_URI_FACTS = (
    _column("scheme", "text", "Its scheme, in small letters; null if it is not absolute."),
    _column("host", "text", "Its host, in small letters; null if there is none that can be relied on."),
    _column("host_type", "text", "`loopback`, `localhost` (by name), `private`, `address` or `name`."),
    _column("registrable_domain", "text", "The part of the host's name that somebody can register."),
    _column("has_userinfo", "bool", "Whether a user's name or password is in it."),
    _column("has_fragment", "bool", "Whether it has a fragment."),
    _column("has_pattern", "bool", "Whether a part of it stands for something else, such as `*`."),
    _column("redirect_parameter", "text", "Parameter of its query that names where to go next."),
)

_SCOPE_FACTS = (_column("writes", "bool", "Whether it lets the client change anything; null if unknown."),)

ELEMENT_COLUMNS = {
    "redirect_uris": _URI_FACTS,
    "allowed_cors_origins": _URI_FACTS,
    "post_logout_redirect_uris": _URI_FACTS,
    "scopes": _SCOPE_FACTS,
    "optional_scopes": _SCOPE_FACTS,
}

OAUTH_CLIENTS = (
    _key("account_id", "Id of the account that owns the client."),
    _key("client_id", "Id of the client, unique in its account."),
    _column("client_name", "text", "Name shown to people; whoever made the client chose it."),
    _column("visibility", "text", "`public`: any Cloudflare user may authorise it; `private`: not."),
    _column("client_uri", "text", "URL of the client's home page."),
    _column("logo_uri", "text", "URL of the client's logo."),
    _column("policy_uri", "text", "URL of the client's privacy policy."),
    _column("tos_uri", "text", "URL of the client's terms of service."),
    _column(
        "client_uri_verification__status",
        "text",
        "Proof of control of `client_uri`'s host: `pending`, `in_progress`, `verified` or `failed`.",
    ),
    _column("client_uri_verification__text", "text", "TXT record that proves control of the host."),
    _column(
        "token_endpoint_auth_method",
        "text",
        "How the client authenticates: `none`, `client_secret_basic` or `client_secret_post`.",
    ),
    _column("has_rotated_secret", "bool", "Whether an old secret, already replaced, still works."),
    _column("created_at", "timestamp", "When the client was created."),
    _column("updated_at", "timestamp", "When the client was last updated, as far as the API moves it."),
    _column("promoted_at", "timestamp", "When the client was made public, which cannot be undone."),
    *CLIENT_FACTS,
    *_CONTENT,
)

OAUTH_CLIENT_CHANGES = (
    _key("change_id", "Hash of the client, its previous logged change and its new content."),
    _column("account_id", "text", "Id of the account.", nullable=False),
    _column("client_id", "text", "Id of the client.", nullable=False),
    _column("client_name", "text", "Name of the client after the change (before it, if deleted)."),
    _column(
        "change",
        "text",
        "`baseline` (found by or before the account's first complete sync), `created`, `updated`, `deleted`.",
        nullable=False,
    ),
    _column("observed_at", "timestamp", "When a sync first saw it; the change itself was earlier."),
    _column("sync_id", "text", "The sync that saw it."),
    _column("changed_fields", "json", "Sorted names of the API's fields that differ; null unless `updated`."),
    _column("document_before", "json", "The client as the API had sent it; null if new."),
    _column("document_after", "json", "The client as the API sends it now; null if deleted."),
    _column("content_hash", "text", "Hash of `document_after`; null if deleted."),
    _column("previous_change_id", "text", "The client's logged change before this one; null for its first."),
    _column("has_rotated_secret", "bool", "Whether an old secret still worked then; null if deleted."),
    _column("became_public", "bool", "Whether it made the client public; null unless `updated`."),
    _column("write_scopes_added", "text", "Scopes that write and were not there before, comma-separated."),
    _column("redirect_domains_added", "text", "Registrable domains of redirects, not there before."),
)

OAUTH_SCOPES = (
    _key("id", "Name of the scope, as in a client's `scopes`."),
    _column("name", "text", "Name of the scope, for people."),
    _column("category", "text", "Group of scopes it is shown in."),
    *_CONTENT,
)

ACCOUNT_SYNCS = (
    _key("sync_id", "Id of the sync; later syncs sort after earlier ones."),
    _key("account_id", "Id of the account."),
    _column("started_at", "timestamp", "When the account's first request was made."),
    _column("finished_at", "timestamp", "When the account had been read."),
    _column(
        "status",
        "text",
        "`complete`, `incomplete` (not proven whole), `forbidden`, `not_found`, `failed`, `delete_blocked`.",
        nullable=False,
    ),
    _column("http_status", "bigint", "HTTP status of the answer that ended it badly."),
    _column("error_code", "bigint", "Cloudflare's own code of that answer."),
    _column("error_message", "text", "What went wrong, and what to do."),
    _column("requests", "bigint", "Requests made for the account."),
    _column("retries", "bigint", "Those of them that repeated a failed one."),
    _column("listed", "bigint", "Clients in the listing."),
    _column("reported_total", "bigint", "How many clients the API says there are."),
    _column("baseline", "bigint", "Clients logged as `baseline`."),
    _column("created", "bigint", "Clients logged as `created`."),
    _column("updated", "bigint", "Clients logged as `updated`."),
    _column("deleted", "bigint", "Clients logged as `deleted`."),
    _column("unchanged", "bigint", "Clients about which there was nothing to log."),
    _column("deletes_withheld", "bigint", "Clients no longer listed that were kept all the same."),
    _column("rejected", "bigint", "Rows that could not be loaded."),
)

REJECTED_ROWS = (
    _key("rejection_id", "Hash of the account, the row and the reason."),
    _column("account_id", "text", "Id of the account; null outside of accounts."),
    _column("table_name", "text", "The table the row was meant for.", nullable=False),
    _column("reason", "text", "Why it could not be loaded.", nullable=False),
    _column("document", "text", "The row as JSON, without what looks like a secret value."),
    _column("sync_id", "text", "The sync that met it first."),
    _column("observed_at", "timestamp", "When that was."),
)

TABLES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "accounts": ("Each row is an account seen.", ACCOUNTS),
    "oauth_scopes": ("Each row is a scope in Cloudflare's catalogue.", OAUTH_SCOPES),
    "oauth_clients": ("Each row is an OAuth client that exists now.", OAUTH_CLIENTS),
    "oauth_client_changes": (
        "Each row is a change of one client, as first observed; append-only.",
        OAUTH_CLIENT_CHANGES,
    ),
    "account_syncs": ("Each row is an account in one sync: what was read, what came of it.", ACCOUNT_SYNCS),
    "rejected_rows": ("Each row is a row of the API that could not be loaded.", REJECTED_ROWS),
}

_CLIENT_KEYS = ("account_id", "client_id")


@cache
def declared_schema() -> Schema:
    """A dlt schema with all the tables, to be read only."""
    schema = Schema(SCHEMA_NAME)
    declare_tables(schema)
    # There and back, because dlt takes no schema that was changed since it was last written down.
    return Schema.from_dict(cast(dict[str, Any], schema.to_dict()))


def declare_tables(schema: Schema) -> None:
    """Declare every table to a schema, so that they all exist even while they are empty."""
    # A field nobody declared keeps its JSON type: a text that looks like a time stays a text.
    schema.remove_type_detection("iso_timestamp")
    propagated = {
        "oauth_clients": {name: name for name in _CLIENT_KEYS},
        "oauth_scopes": {"id": "id"},
    }
    DataItemNormalizer.update_normalizer_config(
        schema,
        {"propagation": {"tables": propagated}},  # type: ignore[typeddict-item]  # dlt's NewTypes of names
    )
    for name, (description, columns) in TABLES.items():
        table = new_table(name, write_disposition="merge", resource=name)
        _declare(schema, table, [*columns, *_row_columns()], description)
    for array, description in ARRAYS.items():
        keys = [_column(key, "text", f"`{key}` of the client.", nullable=False) for key in _CLIENT_KEYS]
        _declare_array(schema, "oauth_clients", array, keys, description)
    scope_key = _column("id", "text", "`id` of the scope.", nullable=False)
    _declare_array(schema, "oauth_scopes", "scopes", [scope_key], "Resource scope that the scope stands for.")


def _declare_array(schema: Schema, parent: str, array: str, keys: Iterable[Column], description: str) -> None:
    table = new_table(f"{parent}__{array}", parent_table_name=parent)
    facts = ELEMENT_COLUMNS.get(array, ()) if parent == "oauth_clients" else ()
    columns = [*keys, _column("value", "text", description), *facts, *_nested_columns()]
    _declare(schema, table, columns, f"Each row is an element of `{array}` of a row of `{parent}`.")


def _declare(schema: Schema, table: TTableSchema, columns: Iterable[Column], description: str) -> None:
    table["description"] = description
    table["columns"] = {column.name: column.declared() for column in columns}
    # What dlt sets once a table has had data; it creates no other tables.
    table["x-normalizer"] = {"seen-data": True}
    schema.update_table(table)


def _row_columns() -> list[Column]:
    return [
        _column("_dlt_id", "text", "dlt's id of the row.", nullable=False, unique=True, row_key=True),
        _column("_dlt_load_id", "text", "dlt's id of the load that wrote the row.", nullable=False),
    ]


def _nested_columns() -> list[Column]:
    return [
        _column("_dlt_id", "text", "dlt's id of the row.", nullable=False, unique=True, row_key=True),
        _column("_dlt_root_id", "text", "`_dlt_id` of the root row.", nullable=False, root_key=True),
        _column("_dlt_parent_id", "text", "`_dlt_id` of the parent row.", nullable=False, parent_key=True),
        _column("_dlt_list_idx", "bigint", "Position in the array, from 0.", nullable=False),
    ]
