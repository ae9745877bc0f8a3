"""Turns every item that the API sent into a typed row, or rejects it with a reason."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from .canonical import JSON, content_hash, has_content, json_text
from .redaction import redacted, without_nameless_values
from .shape import Shape, UnfitError, shape_of
from .tables import OURS, Column

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_BIGINT = range(-(2**63), 2**63)
_TEXTS = frozenset({str})
# Each array becomes a table, and dlt names files after tables: a file name has at most some 255 bytes.
LONGEST_PATH = 100
# dlt descends by recursion.
DEEPEST = 20
_PRIVATE_USE = ("\ue000", "\uf8ff")


class Row(NamedTuple):
    """An item that can be loaded.

    `document` is what the API sent, redacted, as JSON text; `columns` the same, typed as declared. Both are
    empty if the same content is stored already. `shape` is that of its undeclared fields; None if it has
    none. `rejected_fields` are those without a usable value, which are in no other attribute, and why; None
    if every field has one.
    """

    key: str
    document: str
    columns: JSON
    content_hash: str
    shape: Shape | None = None
    rejected_fields: "Rejection | None" = None

    def rejecting(self, fields: "Rejection | None") -> "Row":
        """The same row with other rejected fields."""
        return Row(self.key, self.document, self.columns, self.content_hash, self.shape, fields)


class Rejection(NamedTuple):
    """An item that cannot be loaded, or its id and the fields that cannot: redacted JSON text, and why."""

    document: str
    reason: str


def rejection_of(key: str, document: JSON, problems: Mapping[str, str]) -> Rejection:
    """The rejection of single fields of a row, which is loaded without them.

    Args:
        problems: why they cannot be loaded, by name.
    """
    unusable = {name: document[name] for name in (key, *problems)}
    return Rejection(json.dumps(unusable), f"{'; '.join(problems.values())}; the rest of the row was loaded")


@dataclass(frozen=True)
class RowType:
    """The fields and types that an item of one listing may have, taken from its table's declared columns.

    Attributes:
        paths: the declared fields; of an object each field by itself.
        taken: the columns of the table that no other field may meet.
        inherited: the columns that the tables of undeclared arrays take over.
    """

    key: str
    types: dict[str, str]
    arrays: frozenset[str]
    objects: frozenset[str]
    fields: frozenset[str]
    paths: frozenset[tuple[str, ...]]
    taken: frozenset[str]
    inherited: frozenset[str]

    @classmethod
    def of(
        cls,
        key: str,
        columns: tuple[Column, ...],
        arrays: frozenset[str] = frozenset(),
        inherited: frozenset[str] = frozenset(),
        key_column: str | None = None,
    ) -> "RowType":
        """The type of a listing's items, identified by the field `key`, which may become another column."""
        types = {column.name: column.data_type for column in columns} | {key: "text"}
        taken = arrays | types.keys() | OURS
        for name in OURS | {key_column}:
            types.pop(name or "", None)
        objects = frozenset(name.split("__")[0] for name in types if "__" in name)
        fields = objects | arrays | {name for name in types if "__" not in name}
        paths = frozenset(tuple(name.split("__")) for name in arrays | types.keys())
        return cls(key, types, arrays, objects, fields, paths, taken, inherited)

    def check(
        self,
        item: Any,
        stored_hashes: Mapping[str, str] = MappingProxyType({}),
        dropped: set[str] | None = None,
    ) -> Row | Rejection:
        """Redact an item, then turn it into a row, or say why it cannot be loaded.

        Args:
            stored_hashes: content hashes of the stored rows, by key; an item with the same content is not
                typed again.
            dropped: receives the names of the fields that were dropped, as in `redacted`.
        """
        try:
            document = redacted(item, dropped)
            if not isinstance(document, dict):
                return Rejection(
                    json.dumps(without_nameless_values(document)), f"not an object but {_kind(document)}"
                )
        except RecursionError:
            return Rejection("null", "nested too deeply")
        try:
            return self._row(document, stored_hashes)
        except UnfitError as unfit:
            try:
                return Rejection(json.dumps(document), str(unfit))
            except RecursionError:
                return Rejection("null", str(unfit))
        except RecursionError:
            return Rejection("null", "nested too deeply")

    def _row(self, document: JSON, stored_hashes: Mapping[str, str]) -> Row:
        key = document.get(self.key)
        if not isinstance(key, str) or not key:
            raise UnfitError(f"no {self.key}")
        # The account that owns a client is not content of the client.
        row_hash = content_hash(_without(document, "account_id"))
        if stored_hashes.get(key) == row_hash:
            return Row(key, "", {}, row_hash)
        columns, usable, problems = self._typed_fields(document)
        rejected_fields = None
        if len(usable) < len(document):
            if problems:
                rejected_fields = rejection_of(self.key, document, problems)
            document = usable
            # Of what is stored: a field that is rejected each time changes nothing.
            row_hash = content_hash(_without(document, "account_id"))
            if stored_hashes.get(key) == row_hash:
                return Row(key, "", {}, row_hash, None, rejected_fields)
        shape = None
        if not self._is_declared(document):
            shape = shape_of(columns, declared=self.paths, taken=self.taken, inherited=self.inherited)
        return Row(key, json_text(document), columns, row_hash, shape, rejected_fields)

    def _is_declared(self, document: JSON) -> bool:
        return self.fields.issuperset(document) and all(
            f"{name}__{inner}" in self.types for name in self.objects for inner in document.get(name) or ()
        )

    def _typed_fields(self, document: JSON) -> tuple[JSON, JSON, dict[str, str]]:
        """The typed fields; the document without what it says nothing in or cannot be used; why it cannot."""
        columns: JSON = {}
        usable: JSON = {}
        problems: dict[str, str] = {}
        for name, value in document.items():
            try:
                typed = self._typed(name, value)
            except UnfitError as unfit:
                if name == self.key:
                    raise
                problems[name] = str(unfit)
                continue
            # A null would make a column without a type.
            if typed is not None:
                columns[name] = typed
            if typed is not None or value is None:
                usable[name] = value
        return columns, usable, problems

    def _typed(self, column: str, value: Any) -> Any:
        """The value as the declared type; None if it is null, or empty where the type has no empty value."""
        data_type = self.types.get(column)
        if data_type == "text" and type(value) is str and value.isascii():
            # Nearly all values.
            return value
        if value is None:
            return None
        if data_type:
            return _typed_scalar(column, value, data_type)
        if column in self.arrays:
            if not isinstance(value, list):
                return _nothing(column, value, "an array")
            if _TEXTS.issuperset(map(type, value)) and "".join(value).isascii():
                return value
            return [None if item is None else _typed_scalar(column, item, "text") for item in value]
        if column in self.objects:
            if not isinstance(value, dict):
                return _nothing(column, value, "an object")
            inner = {name: self._typed(f"{column}__{name}", item) for name, item in value.items()}
            return {name: item for name, item in inner.items() if item is not None}
        return _untyped(column, value)


def _without(document: JSON, name: str) -> JSON:
    return {other: document[other] for other in document if other != name} if name in document else document


def _typed_scalar(name: str, value: Any, data_type: str) -> Any:
    if data_type == "bool" and isinstance(value, bool):
        return value
    if data_type == "text" and isinstance(value, str):
        _check_storable(name, value)
        return value
    if data_type == "timestamp" and isinstance(value, str) and value:
        return _timestamp(name, value)
    return _nothing(name, value, f"a {data_type}")


def _nothing(name: str, value: Any, expected: str) -> None:
    """None for a value without content, as servers write nothing; any other is not what is expected."""
    if value != "" and has_content(value):
        raise UnfitError(f"{name}: not {expected} but {_kind(value)}")


def _timestamp(name: str, value: str) -> datetime:
    if _TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise UnfitError(f"{name}: not an RFC 3339 timestamp: {value[:40]!r}")


def _check_storable(name: str, value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UnfitError(f"{name}: half a surrogate pair, which is not text") from None
            if _PRIVATE_USE[0] <= value[0] <= _PRIVATE_USE[1] and _has_meaning_to_dlt(value):
                raise UnfitError(f"{name}: starts with a private-use character that dlt gives a meaning to")
    elif isinstance(value, int) and value not in _BIGINT:
        raise UnfitError(f"{name}: a number of more than 64 bits")
    elif isinstance(value, float) and value - value != 0:
        raise UnfitError(f"{name}: a number too large for a double")


def _untyped(column: str, value: Any, path: str = "", levels: int = DEEPEST) -> Any:
    """The value of an undeclared field, unchanged but for the nulls in its objects, which are left out."""
    if not isinstance(value, dict | list):
        _check_storable(column, value)
        return value
    if not levels:
        raise UnfitError(f"{column}: nested too deeply")
    path = path or column
    if isinstance(value, dict):
        return {
            name: _untyped(column, item, f"{path}__{name}", levels - 1)
            for name, item in value.items()
            if item is not None
        }
    if len(path) > LONGEST_PATH and value:
        raise UnfitError(f"{column[:LONGEST_PATH]}: too long a name for a table")
    return [_untyped(column, item, f"{path}__list", levels - 1) for item in value]


def _has_meaning_to_dlt(value: str) -> bool:
    # Not at the top: a reader process rarely needs dlt, whose import takes half a second.
    from dlt.common.json import custom_pua_decode

    return custom_pua_decode(value) is not value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
