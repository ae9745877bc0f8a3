"""The data dictionary matches the declarations in the code."""

from pathlib import Path

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth_pipeline.analysis.data_dictionary import data_dictionary
from cloudflare_oauth_pipeline.analysis.rules import load_rules
from cloudflare_oauth_pipeline.analysis.views import load_views

FILE = Path(__file__).parents[3] / "docs" / "data-dictionary.md"


def test_the_data_dictionary_is_up_to_date() -> None:
    """The file equals what `make docs` generates; run that if this test fails."""
    assert FILE.read_text("utf-8") == data_dictionary()


def test_everything_is_described() -> None:
    """Every column has a description, dlt's own included; each risk and remediation is a sentence."""
    for name in declared_schema().data_table_names():
        for column in declared_schema().tables[name]["columns"].values():
            assert column.get("description"), (name, column["name"])
    for view in load_views().values():
        assert all(view.columns.values())
    for rule in load_rules():
        assert rule.risk.endswith(".")
        assert rule.remediation.endswith(".")
