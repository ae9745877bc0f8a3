"""The data dictionary is what the code declares."""

from pathlib import Path

from cloudflare_oauth.dlt_schema import declared_schema
from cloudflare_oauth_pipeline.analysis.data_dictionary import data_dictionary
from cloudflare_oauth_pipeline.analysis.rules import load_rules
from cloudflare_oauth_pipeline.analysis.views import load_views

FILE = Path(__file__).parents[3] / "docs" / "data-dictionary.md"


def test_the_data_dictionary_is_up_to_date() -> None:
    """If this fails: `make docs`."""
    assert FILE.read_text("utf-8") == data_dictionary()


def test_everything_is_described() -> None:
    """Every column of every table and view; dlt's own keys in dlt's words."""
    for name in declared_schema().data_table_names():
        for column in declared_schema().tables[name]["columns"].values():
            assert column.get("description"), (name, column["name"])
    for view in load_views().values():
        assert all(view.columns.values())
    for rule in load_rules():
        assert rule.why.endswith(".")
        assert rule.mend.endswith(".")
