"""Edits of an organisation for hypothesis to choose from: documents with fields of every JSON type."""

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st

from cloudflare_oauth_pipeline.fake_api import ABSENT, Organisation, account_id

ACCOUNTS = [account_id(number) for number in range(3)]
# Enough for the brake, which guards accounts of ten clients and more.
CLIENTS = [f"client-{number}" for number in range(14)]
ARRAYS = ("redirect_uris", "scopes", "extra", "tags", "deep")
URIS = ["https://a.example/cb", "https://b.example/cb", "http://c.example/", "=1+1", "Ω"]
# A number where an API sends a text: the client is loaded without it.
UNFIT = 7

accounts = st.sampled_from(ACCOUNTS)
clients = st.sampled_from(CLIENTS)

scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from(["", "x", "007", "true", "1.5", "2026-06-03T00:00:00Z", "=1+1", "Ω", "a\0b"])
    | st.sampled_from([0, 1, 5, -1, 2**53 + 1, 2**63 - 1, -(2**63), 10**16])
    | st.sampled_from([0.0, 1.0, 1.5, 1e3, 1e16, 2.0**60, 1e-7])
)
# An array always has the same parent, whatever was sent before: two of one name are rejected otherwise.
elements = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.lists(st.lists(scalars, max_size=2), max_size=2)
    | st.fixed_dictionaries(
        {},
        optional={
            "a": scalars,
            "b": scalars,
            "inner": st.fixed_dictionaries({}, optional={"c": scalars}),
            "rows": st.lists(scalars, max_size=2),
        },
    )
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "a": scalars,
        "tags": st.lists(elements, max_size=3),
        "inner": st.fixed_dictionaries(
            {}, optional={"b": scalars, "c": scalars, "tags": st.lists(scalars, max_size=3)}
        ),
    },
)
anything = st.just(ABSENT) | scalars | st.lists(elements, max_size=4) | objects
arrays = st.sampled_from([ABSENT, None, []]) | st.lists(st.sampled_from(URIS), min_size=1, max_size=4)
fields = st.fixed_dictionaries(
    {},
    optional={
        "client_name": st.sampled_from(["one", "two", "", None]),
        "visibility": st.sampled_from(["public", "private"]),
        "redirect_uris": arrays,
        "scopes": arrays,
        "client_uri": st.sampled_from([ABSENT, ABSENT, ABSENT, "https://a.example", UNFIT]),
        "has_rotated_secret": st.booleans() | st.none(),
        "promoted_at": st.sampled_from([ABSENT, "", "2026-06-05T00:00:00Z"]),
        # It would meet a column of ours.
        "derivedVersion": st.sampled_from([ABSENT, ABSENT, ABSENT, ABSENT, 7]),
        "updated_at": st.sampled_from(["2026-06-03T00:00:00Z", "2026-06-04T02:00:00+02:00", ABSENT]),
        "client_uri_verification": st.sampled_from([None, {}, {"status": "pending", "text": "t"}]),
        "extra": anything,
        "tags": anything,
        "deep": anything,
        "extraNote": anything,
    },
)


@dataclass(frozen=True)
class Edit:
    """A change of one account, which changes nothing where it cannot be made."""

    kind: str
    client: str = CLIENTS[0]
    document: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    def apply(self, organisation: Organisation, account: str) -> None:
        """Make the change."""
        listed = {one["client_id"]: one for one in organisation.clients(account)}
        document = listed.get(self.client)
        match self.kind:
            case "put" if document:
                organisation.change(account, self.client, **self.document)
            case "put":
                sent = {name: value for name, value in self.document.items() if value is not ABSENT}
                organisation.add(account, client_id=self.client, **sent)
            case "fill":
                for client in CLIENTS[:10]:
                    if client not in listed:
                        organisation.add(account, client_id=client, client_name=f"new {self.number}")
            case "delete":
                for client in CLIENTS[CLIENTS.index(self.client) :][: self.number]:
                    if client in listed:
                        organisation.remove(account, client)
            case "reverse" if document:
                changed = {name: document[name][::-1] for name in _arrays_of(document)}
                organisation.change(account, self.client, **changed)
            case "repeat" if document:
                changed = {name: document[name] + document[name][:1] for name in _arrays_of(document)}
                organisation.change(account, self.client, **changed)
            case "shuffle":
                organisation.shuffle(account, self.number)


def _arrays_of(document: dict[str, Any]) -> list[str]:
    return [name for name in ARRAYS if isinstance(document.get(name), list)]


_edits = (
    st.builds(Edit, st.just("put"), clients, fields)
    | st.builds(Edit, st.just("put"), clients, fields)
    | st.builds(Edit, st.sampled_from(["reverse", "repeat"]), clients)
    | st.builds(Edit, st.sampled_from(["fill", "shuffle"]), number=st.integers(0, 3))
    | st.builds(Edit, st.just("delete"), clients, number=st.integers(1, 9))
)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """Any edit; a function, because the `repr` of the strategy itself is long, and hypothesis asks for it."""
    return draw(_edits)
