"""A real browser for the tests: the machine's Chromium, or Debian's, unpacked into this Python environment.

Nothing is installed on the machine, so root is not required.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FOLDER = Path(sys.prefix) / "chromium"
# The fonts cover the demo's scripts; minimal machines have none.
PACKAGES = ("chromium", "chromium-driver", "fonts-liberation", "fonts-ipafont-gothic")
LONGEST_STEP_SECONDS = 240
LONGEST_WAIT_SECONDS = 20
OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    # The sandbox does not work for root or in a container; and the browser opens only this project's pages.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    # Disable requests that the browser itself would make.
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--lang=en",
    "--window-size=1280,900",
)


class NoBrowserError(Exception):
    """No browser is installed and none could be unpacked; the message says why."""


@dataclass(frozen=True)
class Chromium:
    """The paths of the browser and its driver, and the environment variables they need."""

    browser: str
    driver: str
    environment: Mapping[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium:
    """Find the machine's Chromium, or else Debian's, unpacked once into this Python environment.

    Raises:
        NoBrowserError: the machine has none, and apt cannot provide it.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser and driver:
        return Chromium(browser, driver)
    unpacked = FOLDER / "root"
    with filelock.FileLock(f"{FOLDER}.lock"):
        if not unpacked.exists():
            _unpack(unpacked)
    libraries = [*unpacked.glob("usr/lib/*-linux-gnu*"), *unpacked.glob("usr/lib/*-linux-gnu*/pulseaudio")]
    return Chromium(
        str(unpacked / "usr/lib/chromium/chromium"),
        str(unpacked / "usr/bin/chromedriver"),
        {
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
            "XDG_DATA_HOME": str(unpacked / "usr/share"),
        },
    )


def _unpack(unpacked: Path) -> None:
    """Download Debian's packages and their missing dependencies, and unpack them."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoBrowserError(
            "install chromium and chromedriver: without apt they cannot be unpacked automatically"
        )
    work = FOLDER / "work"
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "debs", "root"):
        (work / name).mkdir(parents=True)
    apt = ["apt-get", "--quiet", "--yes", "--no-install-recommends"]
    # Separate package lists: the machine's may be missing, and only root can update them.
    apt += [f"--option=Dir::State::Lists={work}/lists", f"--option=Dir::Cache={work}"]
    apt += ["--option=Debug::NoLocking=1", "--option=APT::Sandbox::User="]
    # Fail fast without a network.
    apt += ["--option=Acquire::http::Timeout=20", "--option=Acquire::Retries=0"]
    _run(*apt, "update")
    lines = _run(*apt, "install", "--print-uris", *PACKAGES).splitlines()
    files = [line.split()[1] for line in lines if line.startswith("'")]
    _run(*apt, "download", *(file.split("_")[0] for file in files), folder=work / "debs")
    for file in sorted((work / "debs").glob("*.deb")):
        _run("dpkg-deb", "--extract", str(file), str(work / "root"))
    # Renamed last, so that an existing folder is always complete.
    (work / "root").rename(unpacked)
    shutil.rmtree(work)


def _run(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=LONGEST_STEP_SECONDS
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise NoBrowserError(
            f"install chromium and chromedriver: apt could not provide them: {last}"
        ) from None
    except subprocess.TimeoutExpired:
        raise NoBrowserError("install chromium and chromedriver: apt took too long to provide them") from None
    return done.stdout


# All elements that match the selector and contain the text, including those in marimo's shadow roots.
FIND = """
const [selector, text] = arguments;
const find = root => [...root.querySelectorAll(selector)].concat(
  ...[...root.querySelectorAll("*")].filter(one => one.shadowRoot).map(one => find(one.shadowRoot)));
return find(document).filter(one => one.textContent.includes(text || ""));
"""
TEXTS = f"const found = function () {{{FIND}}}; return found(...arguments).map(one => one.innerText);"
WITHIN = f"""
const found = function () {{{FIND}}};
const isWithin = one => one.getBoundingClientRect().right <= innerWidth;
return innerWidth < 400 && found(".co *, canvas").every(isWithin);
"""
LABELLED = "return arguments[0].getRootNode().getElementById(arguments[0].htmlFor)"


class Window:
    """A browser window, driven as a user would: by what is visible."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def prefer(self, theme: str) -> None:
        """Prefer the theme `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    @contextmanager
    def narrowed(self) -> Iterator[None]:
        """Be as narrow as a phone inside the `with` block."""
        metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def has_all_within(self) -> bool:
        """Whether nothing extends beyond the right edge."""
        return bool(self.driver.execute_script(WITHIN))

    def visit(self, address: str, *, until: str) -> None:
        """Open a page, and wait until it has this heading or label and has drawn all its charts."""
        self.driver.get(address)
        self.wait(lambda: self.all("h2, label", until))
        self.wait(lambda: len(self.all("marimo-mime-renderer")) == len(self.all("canvas")))

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true."""
        ignored = (ElementClickInterceptedException, StaleElementReferenceException)
        waiting = WebDriverWait(self.driver, LONGEST_WAIT_SECONDS, 0.05, ignored)
        waiting.until(lambda _: condition())

    def texts(self, selector: str) -> list[str]:
        """The visible texts of the matching elements, all read at the same moment."""
        found: list[str] = self.driver.execute_script(TEXTS, selector)
        return found

    def all(self, selector: str, text: str = "") -> list[WebElement]:
        """The elements that match the selector and contain the text."""
        found: list[WebElement] = self.driver.execute_script(FIND, selector, text)
        return found

    def labelled(self, label: str) -> WebElement:
        """The control with this label."""
        (found,) = self.all("label", label)
        control: WebElement = self.driver.execute_script(LABELLED, found)
        return control

    def click(self, element: WebElement) -> None:
        """Scroll to an element and click it, once the page above it has been drawn and it no longer moves."""

        def clicked() -> bool:
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        self.wait(clicked)

    def choose(self, label: str, option: str) -> None:
        """Open a list, search for an option, and choose it."""
        opener = self.labelled(label)
        self.click(opener)
        self.wait(lambda: self.all("[cmdk-input]"))
        self.all("[cmdk-input]")[0].send_keys(option)
        self.wait(lambda: len(self.all("[role=option]", option)) == 1)
        self.click(self.all("[role=option]", option)[0])
        # A multiple-choice list stays open.
        webdriver.ActionChains(self.driver).send_keys(Keys.ESCAPE).perform()
        self.wait(lambda: option in opener.text and not self.all("[role=dialog]"))

    def errors(self) -> list[str]:
        """The errors logged to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requested(self) -> set[str]:
        """The URLs requested since the last call, without `data:` and `blob:` URLs."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and not message["params"]["request"]["url"].startswith(("data:", "blob:"))
        }


@contextmanager
def opened(chromium: Chromium) -> Iterator[Window]:
    """Open a headless browser, 1280 pixels wide."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium.browser
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(chromium.driver, env=os.environ | chromium.environment))
    try:
        yield Window(driver)
    finally:
        driver.quit()
