"""Who may import whom: the rules of `docs/architecture.md`, checked on the imports of every module."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE, PIPELINE = "cloudflare_oauth", "cloudflare_oauth_pipeline"
# The methods of dlt's classes that subclasses here override although their names are private.
OVERRIDDEN = {"_raw_capabilities", "_make_database_exception", "_conn_str"}


@dataclass(frozen=True)
class Import:
    """One imported name: from which module, whether at the top, and whether a comment gives a reason."""

    module: str
    name: str
    line: int
    is_late: bool = False
    has_reason: bool = False

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Module:
    """A module: its dotted name, and its text."""

    name: str
    text: str
    is_package: bool = False

    @property
    def imports(self) -> list[Import]:
        tree = ast.parse(self.text)
        lines = self.text.splitlines()
        late = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        for_types = {
            id(node)
            for condition in ast.walk(tree)
            if isinstance(condition, ast.If) and "TYPE_CHECKING" in ast.unparse(condition.test)
            for node in ast.walk(condition)
        }
        found = []
        for node in ast.walk(tree):
            if id(node) in for_types or not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            is_late = id(node) in late
            reason = is_late and _has_reason(lines, node.lineno)
            if isinstance(node, ast.Import):
                found += [Import(alias.name, "", node.lineno, is_late, reason) for alias in node.names]
            else:
                module = self._absolute(node)
                found += [Import(module, alias.name, node.lineno, is_late, reason) for alias in node.names]
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        parts = package[: len(package) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])


def _has_reason(lines: list[str], number: int) -> bool:
    """Whether a comment stands on the line, or above the block of imports that the line is in."""
    if "#" in lines[number - 1]:
        return True
    above = number - 2
    while above >= 0 and re.match(r"\s*(from|import|try:|\)|[\w, ]+,$)", lines[above]):
        above -= 1
    return lines[above].strip().startswith("#")


def modules_of(folder: Path, package: str) -> Iterator[Module]:
    for file in sorted((folder / package).rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield Module(".".join(parts[:-1] if is_package else parts), file.read_text("utf-8"), is_package)


def all_modules() -> list[Module]:
    return [*modules_of(ROOT / "sources", SOURCE), *modules_of(ROOT / "pipelines", PIPELINE)]


def is_in(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


Rule = Callable[[list[Module]], list[str]]


def forbids(rooms: str, *imported: str, late: bool = False) -> Rule:
    """Modules in a room do not import these; `late` forbids it inside functions, too."""

    def rule(modules: list[Module]) -> list[str]:
        return [
            f"{module.name}:{one.line} imports {one.full}"
            for module in modules
            if is_in(module.name, *rooms.split())
            for one in module.imports
            if is_in(one.full, *imported) and (late or not one.is_late)
        ]

    return rule


def only(*allowed: str, among: str, imported: tuple[str, ...], late: bool = False) -> Rule:
    """Of the modules in a room, only the allowed ones import these."""

    def rule(modules: list[Module]) -> list[str]:
        return [
            f"{module.name}:{one.line} imports {one.full}"
            for module in modules
            if is_in(module.name, *among.split()) and not is_in(module.name, *allowed)
            for one in module.imports
            if is_in(one.full, *imported) and (late or not one.is_late)
        ]

    return rule


def uses_exports_only(modules: list[Module]) -> list[str]:
    """The pipeline package imports of the source only what the `__init__` of a package exports."""
    exports = {
        module.name: set(re.findall(r'^    "(\w+)",$', module.text.partition("__all__")[2], re.MULTILINE))
        | set(re.findall(r'"(\w+)"', module.text.partition("__all__ = [")[2].partition("]")[0]))
        for module in modules
        if module.is_package and is_in(module.name, SOURCE)
    }
    return [
        f"{module.name}:{one.line} imports {one.full}"
        for module in modules
        if is_in(module.name, PIPELINE)
        for one in module.imports
        if is_in(one.module, SOURCE) and one.name not in exports.get(one.module, ())
    ]


def gives_reasons(modules: list[Module]) -> list[str]:
    """An import inside a function has a comment with its reason."""
    return [
        f"{module.name}:{one.line} imports {one.full} late and does not say why"
        for module in modules
        for one in module.imports
        if one.is_late and not one.has_reason
    ]


def calls_nothing_private(modules: list[Module]) -> list[str]:
    """A private attribute is used only of `self`, `cls` and the module's own classes."""
    found = []
    for module in modules:
        tree = ast.parse(module.text)
        own = {
            node.attr if isinstance(node, ast.Attribute) else node.name
            for node in ast.walk(tree)
            if (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
            or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and re.match(r"_[a-z]", node.attr)
                and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
                and not (isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()")
                and not (isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr == "_exit")
                and node.attr not in own
            ):
                found.append(f"{module.name}:{node.lineno} uses {ast.unparse(node)}")
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Call)
                and ast.unparse(node.value) == "super()"
                and re.match(r"_[a-z]", node.attr)
                and node.attr not in OVERRIDDEN
            ):
                found.append(f"{module.name}:{node.lineno} overrides {node.attr}")
    return found


LIBRARIES_OF_PAGES = ("marimo", "altair", "pandas")

RULES: dict[str, Rule] = {
    "records imports neither api nor dlt": forbids(
        f"{SOURCE}.records", f"{SOURCE}.api", f"{SOURCE}.reading", f"{SOURCE}.inventory", "dlt"
    ),
    "api imports neither records nor dlt": forbids(
        f"{SOURCE}.api", f"{SOURCE}.records", f"{SOURCE}.reading", f"{SOURCE}.inventory", "dlt"
    ),
    "only four modules of the source import dlt at the top": only(
        f"{SOURCE}.source",
        f"{SOURCE}.dlt_schema",
        f"{SOURCE}.inventory.stored_state",
        f"{SOURCE}.ownership",
        among=SOURCE,
        imported=("dlt",),
    ),
    "the source knows nothing of the pipeline package": forbids(SOURCE, PIPELINE, late=True),
    "the pipeline package uses what the source exports": uses_exports_only,
    "destinations imports no analysis": forbids(
        f"{PIPELINE}.destinations", f"{PIPELINE}.analysis", late=True
    ),
    "run and app import no cli": forbids(f"{PIPELINE}.run {PIPELINE}.app", f"{PIPELINE}.cli", late=True),
    "analysis imports neither run nor cli nor app": forbids(
        f"{PIPELINE}.analysis", f"{PIPELINE}.run", f"{PIPELINE}.cli", f"{PIPELINE}.app", late=True
    ),
    "fake_api imports nothing else of the project": lambda modules: [
        told
        for told in forbids(f"{PIPELINE}.fake_api", SOURCE, PIPELINE, late=True)(modules)
        if f"imports {PIPELINE}.fake_api" not in told
    ],
    "only app imports the libraries of the pages": only(
        f"{PIPELINE}.app", among=f"{SOURCE} {PIPELINE}", imported=LIBRARIES_OF_PAGES, late=True
    ),
    "a late import has a reason beside it": gives_reasons,
    "no private name of a library is used": calls_nothing_private,
}

BROKEN = {
    "records imports neither api nor dlt": Module(f"{SOURCE}.records.x", "from ..api.client import Usage"),
    "api imports neither records nor dlt": Module(f"{SOURCE}.api.x", "import dlt.common"),
    "only four modules of the source import dlt at the top": Module(f"{SOURCE}.inventory.diff", "import dlt"),
    "the source knows nothing of the pipeline package": Module(f"{SOURCE}.x", f"import {PIPELINE}"),
    "the pipeline package uses what the source exports": Module(
        f"{PIPELINE}.run.x", f"from {SOURCE}.records.tables import ACCOUNTS"
    ),
    "destinations imports no analysis": Module(
        f"{PIPELINE}.destinations.x", "def f():\n    from ..analysis.rules import load_rules"
    ),
    "run and app import no cli": Module(f"{PIPELINE}.app.x", "from ..cli import options"),
    "analysis imports neither run nor cli nor app": Module(
        f"{PIPELINE}.analysis.x", "from ..run import sync"
    ),
    "fake_api imports nothing else of the project": Module(
        f"{PIPELINE}.fake_api.x", f"from {SOURCE} import events"
    ),
    "only app imports the libraries of the pages": Module(f"{PIPELINE}.run.x", "import pandas as pd"),
    "a late import has a reason beside it": Module(f"{PIPELINE}.run.x", "def f():\n    import duckdb"),
    "no private name of a library is used": Module(f"{PIPELINE}.run.x", "pipeline._get_load_storage()"),
}


@pytest.mark.parametrize("name", RULES)
def test_every_module_keeps_the_rule(name: str) -> None:
    """Each line of the failure names a module, a line and an import."""
    assert RULES[name](all_modules()) == []


@pytest.mark.parametrize("name", RULES)
def test_a_module_that_breaks_the_rule_is_reported(name: str) -> None:
    """The rule is not vacuous: one more module that breaks it is one more line."""
    assert len(RULES[name]([*all_modules(), BROKEN[name]])) == 1


def test_notebooks_use_the_pages_and_no_other_room() -> None:
    """A notebook imports from `app`, `analysis` and the library itself."""
    for file in (ROOT / "notebooks").glob("*.py"):
        for one in Module(file.stem, file.read_text("utf-8")).imports:
            if is_in(one.full, PIPELINE):
                assert is_in(one.full, f"{PIPELINE}.app", f"{PIPELINE}.analysis"), one
