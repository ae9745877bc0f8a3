"""The findings, as the rules make them of the tables now and the waivers as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity

from cloudflare_oauth.dlt_schema import declared_schema

from ..destinations.pipeline import open_for_reading
from ..destinations.target import Target
from ..errors import DestinationError
from .rules import SEVERITIES
from .views import load_views, translated
from .waivers import Waiver

COLUMNS = tuple(load_views()["oauth_client_findings"].columns)


@dataclass(frozen=True)
class Findings:
    """Findings, the worst first, and the names of accounts by id."""

    rows: list[dict[str, Any]]
    account_names: dict[str, str]

    def at_least(self, severity: str) -> "Findings":
        """Those that are so dangerous, or more."""
        rows = [row for row in self.rows if rank(row["severity"]) >= rank(severity)]
        return replace(self, rows=rows)

    @property
    def is_open(self) -> bool:
        """Whether one of them is not waived."""
        return not all(row["waived"] for row in self.rows)


def read_findings(
    target: Target, *, waivers: Sequence[Waiver] = (), account_ids: Sequence[str] = ()
) -> Findings:
    """Ask the rules.

    Source: the query of the view `oauth_client_findings`, with these waivers.

    Raises:
        SyncError: the destination cannot be read, or has no such dataset yet.
    """
    view = load_views()["oauth_client_findings"]
    with (
        open_for_reading(target) as pipeline,
        pipeline.dataset(schema=declared_schema()).sql_client as client,
    ):

        def rows(query: str) -> list[Sequence[Any]]:
            return list(client.execute_sql(translated(query, client)) or ())

        try:
            found = rows(view.select(waivers))
            accounts = rows("SELECT account_id, name FROM accounts")
        except DestinationUndefinedEntity:
            raise DestinationError(
                f"{target} has nothing to judge yet: run `cloudflare-oauth sync`"
            ) from None
    findings = [dict(zip(COLUMNS, values, strict=True)) for values in found]
    findings = [row for row in findings if not account_ids or row["account_id"] in account_ids]
    findings.sort(key=lambda row: (-rank(row["severity"]), *(row[name] or "" for name in _ORDER)))
    return Findings(
        findings,
        {account_id: name for account_id, name in accounts if name},
    )


_ORDER = ("rule_id", "account_id", "client_name", "client_id", "subject")


def rank(severity: str) -> int:
    """The place of a severity, the worst last."""
    return SEVERITIES.index(severity)
