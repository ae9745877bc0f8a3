"""The files for developers: what they name exists, and they need nothing from elsewhere."""

import re
import tomllib
from collections.abc import Iterator

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, text

ARCHITECTURE = DOCS / "architecture.md"
SOURCE, PIPELINE = "sources/cloudflare_oauth", "pipelines/cloudflare_oauth_pipeline"


def tree() -> Iterator[str]:
    """The paths in the plain text tree of the architecture page."""
    block = text(ARCHITECTURE).split("```text\n")[1].split("```")[0]
    folders: list[str] = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        found = re.match(r"\s*((?:\S+(?:\.py|\.sql|/)(?:  |$)?)+)", line)
        assert found, line
        del folders[depth:]
        for name in found[1].split():
            yield "/".join([*folders, name.rstrip("/")])
        if found[1].strip().endswith("/"):
            folders.append(found[1].strip().rstrip("/"))


def exists(path: str) -> bool:
    """A part in angle brackets stands for any name."""
    return any(ROOT.glob(re.sub(r"<\w+>", "*", path)))


def test_the_tree_names_what_exists() -> None:
    """Every file and folder in the tree of the architecture page."""
    paths = list(tree())

    assert f"{SOURCE}/records/tables.py" in paths
    assert [path for path in paths if "<" not in path and not exists(path)] == []


def test_the_tree_names_every_folder_of_both_packages() -> None:
    """And every module of the source, so that a stranger finds each."""
    named = set(tree())
    folders = {
        str(file.parent.relative_to(ROOT))
        for package in (SOURCE, PIPELINE)
        for file in (ROOT / package).rglob("__init__.py")
    } - {f"{PIPELINE}/analysis/rules"}
    modules = {
        str(file.relative_to(ROOT))
        for file in (ROOT / SOURCE).rglob("*.py")
        if file.name != "__init__.py" and file.parent.name != "destinations"
    }

    assert folders - named == set()
    assert modules - named == set()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_path_in_the_text_exists(page: str) -> None:
    """Where a contributor is sent, there is something."""
    paths = re.findall(r"`((?:sources|pipelines|tests|notebooks|docs)/[^`]+)`", text(ROOT / page))

    assert paths
    assert [path for path in paths if "<" not in path and not exists(path.rstrip("/"))] == []


def test_pre_commit_runs_the_tools_of_the_environment_and_nothing_from_elsewhere() -> None:
    """No foreign repository is cloned."""
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))

    assert [repository["repo"] for repository in configuration["repos"]] == ["local"]
    for hook in configuration["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


def test_the_workflow_runs_the_tests_on_every_python_that_is_supported() -> None:
    """As `pyproject.toml` says it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    job = workflow["jobs"]["test"]

    assert job["strategy"]["matrix"]["python"] == supported
    assert any(step.get("run", "").startswith("make test") for step in job["steps"])
