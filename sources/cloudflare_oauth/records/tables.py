"""The tables: their columns, types, keys and descriptions."""

from dataclasses import dataclass, field

SCHEMA_NAME = "cloudflare_oauth"
# Marks a row for removal while it is merged; it is null in every stored row.
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
    """A column: its name, dlt data type, description, and dlt's other hints."""

    name: str
    data_type: str
    description: str
    hints: dict[str, bool] = field(default_factory=dict)


def column(name: str, data_type: str, description: str, **hints: bool) -> Column:
    """A column; other hints of dlt are keyword arguments."""
    return Column(name, data_type, description, hints)


def _key(name: str, description: str) -> Column:
    return column(name, "text", description, nullable=False, primary_key=True)


_CONTENT = (
    column("content_hash", "text", "Hash of everything the API sent; the order of arrays does not matter."),
    column("observed_at", "timestamp", "When a sync first saw this content."),
    column(DELETED, "bool", "Always null: marks rows for removal while they are merged.", hard_delete=True),
)

ACCOUNTS = (
    _key("account_id", "Id of the account: 32 hexadecimal characters."),
    column("name", "text", "Name of the account."),
    column("type", "text", "Type of the account: `standard` or `enterprise`."),
    column("created_on", "timestamp", "When the account was created."),
    column("settings__enforce_twofactor", "bool", "Whether members must use two-factor authentication."),
    *_CONTENT,
)

# Computed by `enrichment`, not sent: a field of the API with the same name is rejected.
CLIENT_FACTS = (
    column("client_name_skeleton", "text", "Key of the name's appearance: names that look alike share it."),
    column("client_domain", "text", "Registrable domain of `client_uri`; its host, if that is an address."),
    column("client_uri_scheme", "text", "Scheme of `client_uri`, in lower case; null if it has none."),
    column("client_uri_has_userinfo", "bool", "Whether `client_uri` contains a user name or password."),
    *(
        column(f"{shown}_{name}", data_type, f"The same of `{shown}_uri`.")
        for shown in ("logo", "policy", "tos")
        for name, data_type in (("domain", "text"), ("uri_scheme", "text"), ("uri_has_userinfo", "bool"))
    ),
)

# Raised whenever `enrichment` computes something else than before: older rows are then renewed in silence.
DERIVED_VERSION = 2
_DERIVED_VERSION = column("derived_version", "bigint", "Version of the rules that computed derived columns.")

# Columns that this project adds to what the API sends.
OURS = frozenset(
    {DELETED, "content_hash", "observed_at", "change_id", _DERIVED_VERSION.name}
    | {column.name for column in CLIENT_FACTS}
)

_URI_FACTS = (
    column("scheme", "text", "Scheme, in lower case; null if the URI is not absolute."),
    column("host", "text", "Host, in lower case; null if there is none, or parsers disagree about it."),
    column(
        "host_type", "text", "`loopback`, `localhost` (by name), `private`, `address`, `name`; else null."
    ),
    column("registrable_domain", "text", "The part of the host name that can be registered, on the web."),
    column("has_userinfo", "bool", "Whether it contains a user name or password."),
    column("has_fragment", "bool", "Whether it has a fragment."),
    column("has_pattern", "bool", "Whether it contains a pattern such as `*`."),
    column("is_out_of_band", "bool", "Whether it asks to show the code to the user: `oob`, or its URN."),
    column("redirect_parameter", "text", "Query parameter that names the next redirect target."),
)

_SCOPE_FACTS = (column("writes", "bool", "Whether it lets the client change anything; null if unknown."),)

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
    column("client_name", "text", "Name shown to users, chosen by the creator of the client."),
    column("visibility", "text", "`public`: any Cloudflare user may authorise it; otherwise `private`."),
    column("client_uri", "text", "URL of the client's home page."),
    column("logo_uri", "text", "URL of the client's logo."),
    column("policy_uri", "text", "URL of the client's privacy policy."),
    column("tos_uri", "text", "URL of the client's terms of service."),
    column(
        "client_uri_verification__status",
        "text",
        "Proof of control of `client_uri`'s host: `pending`, `in_progress`, `verified` or `failed`.",
    ),
    column("client_uri_verification__text", "text", "TXT record that proves control of the host."),
    column(
        "token_endpoint_auth_method",
        "text",
        "How the client authenticates: `none`, `client_secret_basic` or `client_secret_post`.",
    ),
    column("has_rotated_secret", "bool", "Whether a replaced secret still works."),
    column("created_at", "timestamp", "When the client was created."),
    column("updated_at", "timestamp", "When the client was last updated, according to the API."),
    column("promoted_at", "timestamp", "When the client was made public, which cannot be undone."),
    *CLIENT_FACTS,
    _DERIVED_VERSION,
    column("change_id", "text", "The row of `oauth_client_changes` that logged this content."),
    *_CONTENT,
)

OAUTH_CLIENT_CHANGES = (
    _key("change_id", "Hash of the client, its previous logged change and its new content."),
    column("account_id", "text", "Id of the account.", nullable=False),
    column("client_id", "text", "Id of the client.", nullable=False),
    column("client_name", "text", "Name of the client after the change (before it, if deleted)."),
    column(
        "change",
        "text",
        "`baseline` (found by or before the account's first complete sync), `created`, `updated`, `deleted`.",
        nullable=False,
    ),
    column("observed_at", "timestamp", "When a sync first saw the change; it happened earlier."),
    column("sync_id", "text", "The sync that first saw the change."),
    column("changed_fields", "json", "Sorted names of the API's fields that differ; null unless `updated`."),
    column("document_before", "json", "The client as the API had sent it; null if new."),
    column("document_after", "json", "The client as the API sends it now; null if deleted."),
    column("content_hash", "text", "Hash of `document_after`; null if deleted."),
    column("previous_change_id", "text", "The client's logged change before this one; null for its first."),
    column("has_rotated_secret", "bool", "Whether a replaced secret still worked then; null if deleted."),
    column("became_public", "bool", "Whether the change made the client public; null unless `updated`."),
    column("write_scopes_added", "text", "New scopes that allow writing, comma-separated."),
    column("redirect_domains_added", "text", "New registrable domains of redirect URIs, comma-separated."),
    _DERIVED_VERSION,
)

OAUTH_SCOPES = (
    _key("id", "Name of the scope, as in a client's `scopes`."),
    column("name", "text", "Display name of the scope."),
    column("category", "text", "Group that the scope is shown in."),
    *_CONTENT,
)

ACCOUNT_SYNCS = (
    _key("sync_id", "Id of the sync; `sync_number` says which is the later one."),
    _key("account_id", "Id of the account."),
    column("started_at", "timestamp", "When the account's first request was made."),
    column("finished_at", "timestamp", "When the account had been read."),
    column(
        "status",
        "text",
        "`complete`, `incomplete` (not proven whole), `forbidden`, `not_found`, `failed`, `delete_blocked`.",
        nullable=False,
    ),
    column("http_status", "bigint", "HTTP status of the failed response."),
    column("error_code", "bigint", "Cloudflare's error code in that response."),
    column("error_message", "text", "What went wrong, and what to do."),
    column("requests", "bigint", "Requests made for the account."),
    column("retries", "bigint", "Requests among them that repeated a failed one."),
    column("waited_seconds", "double", "Total seconds that the requests were held back by the rate limit."),
    column("listed", "bigint", "Clients in the listing."),
    column("reported_total", "bigint", "Number of clients according to the API (`total_count`)."),
    column("baseline", "bigint", "Clients logged as `baseline`."),
    column("created", "bigint", "Clients logged as `created`."),
    column("updated", "bigint", "Clients logged as `updated`."),
    column("deleted", "bigint", "Clients logged as `deleted`."),
    column("unchanged", "bigint", "Clients without a change."),
    column("deletes_withheld", "bigint", "Clients that are no longer listed but were kept."),
    column("rejected", "bigint", "Rows that could not be loaded, or not with all of their fields."),
    column("sync_number", "bigint", "Number of the sync; later syncs have higher ones, whatever clocks say."),
    column(
        "withheld_clients",
        "text",
        "JSON: ids of the clients that the brake keeps, by the `--max-delete-fraction` that lets them go.",
    ),
    column("rejected_in_part", "bigint", "Rows among the rejected that were loaded without some fields."),
)

REJECTED_ROWS = (
    _key("rejection_id", "Hash of the account, the document and the reason."),
    column("account_id", "text", "Id of the account; null for rows outside accounts."),
    column("table_name", "text", "The table the row was meant for.", nullable=False),
    column("reason", "text", "Why it could not be loaded, or which fields of it could not.", nullable=False),
    column("document", "text", "The row as JSON, redacted; if only fields were rejected, its id and those."),
    column("sync_id", "text", "The sync that first saw the row."),
    column("observed_at", "timestamp", "When that sync saw it."),
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
    "rejected_rows": (
        "Each row is a row of the API that could not be loaded, or not as a whole.",
        REJECTED_ROWS,
    ),
}
