"""From an item that the API sent to a row that can be loaded; pure functions, without network or dlt.

tables       the tables and their columns, with types and descriptions
redaction    removes what may be a secret
secret_names which names say so
canonical    the canonical form of a document, and its hash
validation   an item becomes a typed row, or is rejected with a reason
shape        the tables and columns that undeclared fields become
enrichment   columns that SQL could not compute, such as the registrable domain of a URI
"""

from .canonical import (
    JSON,
    changed_fields,
    content_hash,
    have_same_content,
    is_current_hash,
    json_text,
    text_hash,
)
from .enrichment import ELEMENT_FACTS, change_facts, client_facts, load_bundled_lists, with_element_facts
from .redaction import MOST_NAMES, redacted
from .shape import Shape
from .tables import (
    ACCOUNTS,
    ARRAYS,
    DELETED,
    DERIVED_VERSION,
    ELEMENT_COLUMNS,
    OAUTH_CLIENT_CHANGES,
    OAUTH_CLIENTS,
    OAUTH_SCOPES,
    SCHEMA_NAME,
    TABLES,
    Column,
    column,
)
from .validation import Rejection, Row, RowType, rejection_of

__all__ = [
    "ACCOUNTS",
    "ARRAYS",
    "DELETED",
    "DERIVED_VERSION",
    "ELEMENT_COLUMNS",
    "ELEMENT_FACTS",
    "JSON",
    "MOST_NAMES",
    "OAUTH_CLIENTS",
    "OAUTH_CLIENT_CHANGES",
    "OAUTH_SCOPES",
    "SCHEMA_NAME",
    "TABLES",
    "Column",
    "Rejection",
    "Row",
    "RowType",
    "Shape",
    "change_facts",
    "changed_fields",
    "client_facts",
    "column",
    "content_hash",
    "have_same_content",
    "is_current_hash",
    "json_text",
    "load_bundled_lists",
    "redacted",
    "rejection_of",
    "text_hash",
    "with_element_facts",
]
