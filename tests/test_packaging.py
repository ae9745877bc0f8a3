"""The built wheel works in a fresh environment, and importing the packages has no side effects."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as it is for a release."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_two_packages_and_no_others(wheel: Path) -> None:
    """It has no top-level package called `sources`, `pipelines`, `tests` or `notebooks`."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"cloudflare_oauth", "cloudflare_oauth_pipeline"}
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_installed_wheel_runs_the_demo_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """The environment has only the wheel and its dependencies, and the home is empty."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    site_packages = next((environment / "lib").glob("python*/site-packages"))
    # The tests have no network, so the dependencies come from the environment they run in. Python ignores
    # .pth files in a folder that is named in a .pth file, so this project's editable install is left out.
    site_packages.joinpath("dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = ["-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()

    # Without the PYTHONPATH of the tests, which may name this project's folders.
    variables = {"HOME": str(home), "PATH": os.defpath}
    where = "import cloudflare_oauth as c, cloudflare_oauth_pipeline as p; print(c.__file__, p.__file__)"
    imported = subprocess.run(
        [python, "-c", where], check=True, capture_output=True, text=True, cwd=folder, env=variables
    )
    done = subprocess.run(
        [environment / "bin" / "cloudflare-oauth", "demo", "--days", "0"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
    )

    assert imported.stdout.count(str(environment)) == 2
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    assert (folder / "demo.duckdb").exists()


REPORT_SIDE_EFFECTS = """
import sys
import dlt  # side effects of importing dlt itself do not count

def report(event, arguments):
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc", ".so")):
        print(event, arguments[0])
    if event.startswith("socket."):
        print(event, arguments)

sys.addaudithook(report)
import cloudflare_oauth
"""


def test_importing_the_source_opens_neither_a_file_nor_a_socket(tmp_path: Path) -> None:
    """It does not read dlt's configuration in the current folder either."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.cloudflare_oauth]\nbase_url = 'https://x'\n")

    done = subprocess.run(
        [sys.executable, "-c", REPORT_SIDE_EFFECTS],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert done.stdout == ""


def test_the_command_line_works_without_the_extra_demo() -> None:
    """Importing the command line imports neither of the demo's libraries."""
    program = (
        "import sys, cloudflare_oauth_pipeline.cli.commands; "
        "print([name for name in ('starlette', 'uvicorn') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"
