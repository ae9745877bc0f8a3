"""How much there is of rows that may be long: arrays become rows, and documents are texts."""

from typing import NamedTuple

from cloudflare_oauth.content import JSON


class Weight(NamedTuple):
    """Rows, with those that arrays become, and characters of documents."""

    rows: int = 0
    characters: int = 0

    def plus(self, row: JSON) -> "Weight":
        """This and one row more."""
        elements = sum(len(value) for value in row.values() if type(value) is list)
        documents = len(row.get("document_before") or "") + len(row.get("document_after") or "")
        return Weight(self.rows + 1 + elements, self.characters + documents)
