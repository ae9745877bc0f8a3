"""The source as a dlt user takes it: the folder, copied into a dlt project of their own."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from cloudflare_oauth_pipeline.fake_api import FAKE_TOKEN, FakeApi, account_id

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sources" / "cloudflare_oauth"


def requirements() -> list[str]:
    return (FOLDER / "requirements.txt").read_text("utf-8").split("\n")[:-1]


def name_of(requirement: str) -> str:
    return re.split(r"[\[><=]", requirement)[0]


def test_the_lines_of_the_readme_run_in_an_empty_project(api: FakeApi, tmp_path: Path) -> None:
    """The first code block of the source's README loads the fake API's clients; nothing else is there."""
    api.organisation.add(account_id("one"), client_id="the-client", client_name="The client")
    shutil.copytree(FOLDER, tmp_path / "cloudflare_oauth", ignore=shutil.ignore_patterns("__pycache__"))
    program = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)[0]
    (tmp_path / "load_clients.py").write_text(program)
    # The dependencies of this environment, without this project's editable install.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "CLOUDFLARE_API_TOKEN": FAKE_TOKEN,
        "CLOUDFLARE_BASE_URL": api.base_url,
    }

    done = subprocess.run(
        [sys.executable, "-S", "load_clients.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "The client" in done.stdout
    assert len(program.strip().splitlines()) <= 10


def test_the_requirements_are_those_of_the_project() -> None:
    """Each line of `requirements.txt` stands in `pyproject.toml` with the same bounds."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]

    assert set(requirements()) <= set(dependencies)


def test_the_requirements_are_what_the_source_imports() -> None:
    """Every imported package is required; dlt needs `duckdb` and `sqlglot` in these versions."""
    imported = set()
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.split(".")[0])
    # It comes with httpx, and is imported only to be ready.
    imported.discard("httpcore")
    distributions = packages_distributions()
    needed = {distributions[name][0] for name in imported - set(sys.stdlib_module_names)}

    assert {name_of(line) for line in requirements()} == needed | {"duckdb", "sqlglot"}


def test_building_the_source_needs_no_credentials(tmp_path: Path) -> None:
    """An orchestrator that only imports a module with it must not fail; iterating it says what is missing."""
    program = (
        "from cloudflare_oauth import ConfigurationError, cloudflare_oauth\n"
        "source = cloudflare_oauth()\n"
        "print(len(source.resources))\n"
        "try:\n    list(source)\n"
        "except Exception as error:\n    print(error)\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path / "dlt")}

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith("6\n") or done.stdout.startswith("7\n"), done.stderr
    assert "No Cloudflare credentials. Set CLOUDFLARE_API_TOKEN" in done.stdout
