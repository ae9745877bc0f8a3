"""The findings: the rules, evaluated on the tables as they are now, with the waivers as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..destinations.dataset import open_dataset
from ..destinations.target import Target
from .rules import SEVERITIES
from .views import load_views
from .waivers import Waiver, without_effect

COLUMNS = tuple(load_views()["oauth_client_findings"].columns)


@dataclass(frozen=True)
class Findings:
    """Findings, the most severe first, and the names of accounts by id.

    `is_based_on_a_reading` says whether at least one of the accounts asked for was ever read completely:
    without that, it says nothing that there are no findings. `waivers_without_effect` says of each waiver
    that is expired or matches no finding of any account what is wrong with it.
    """

    rows: list[dict[str, Any]]
    account_names: dict[str, str]
    is_based_on_a_reading: bool
    waivers_without_effect: list[str]

    def at_least(self, severity: str) -> "Findings":
        """The findings with this severity or a higher one."""
        rows = [row for row in self.rows if rank(row["severity"]) >= rank(severity)]
        return replace(self, rows=rows)

    @property
    def is_open(self) -> bool:
        """Whether at least one of them is not waived."""
        return not all(row["waived"] for row in self.rows)


def read_findings(
    target: Target, *, waivers: Sequence[Waiver] = (), account_ids: Sequence[str] = ()
) -> Findings:
    """Evaluate the rules.

    Source: the query of the view `oauth_client_findings`, with these waivers; `accounts`; `account_syncs`.

    Raises:
        DestinationError: the destination cannot be read, or has no such dataset yet.
    """
    with open_dataset(target) as dataset:
        result = dataset.query(load_views()["oauth_client_findings"].select(waivers))
        accounts = dataset.query("SELECT account_id, name FROM accounts").rows
        read = {account_id for (account_id,) in dataset.query(_ACCOUNTS_READ).rows}
    findings = [dict(zip(COLUMNS, row, strict=True)) for row in result.rows]
    # Where nothing was ever read, a waiver that matches nothing may still be needed.
    idle = without_effect(waivers, findings if read else None)
    findings = [row for row in findings if not account_ids or row["account_id"] in account_ids]
    findings.sort(key=lambda row: (-rank(row["severity"]), *(row[name] or "" for name in _ORDER)))
    return Findings(
        findings,
        {account_id: name for account_id, name in accounts if name},
        is_based_on_a_reading=bool(read.intersection(account_ids) if account_ids else read),
        waivers_without_effect=idle,
    )


# An account whose deletions were withheld was read completely, too.
_ACCOUNTS_READ = (
    "SELECT DISTINCT account_id FROM account_syncs WHERE status IN ('complete', 'delete_blocked')"
)

_ORDER = ("rule_id", "account_id", "client_name", "client_id", "subject")


def rank(severity: str) -> int:
    """The position of a severity, the highest last."""
    return SEVERITIES.index(severity)
