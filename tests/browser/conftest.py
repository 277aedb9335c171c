"""A headless Chromium (Debian's, driven by Playwright), or a reason why there is none."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "evaluation"))
NEEDS_PLAYWRIGHT = "the browser tests need Playwright: pip install playwright"
NEEDS_CHROMIUM = "the browser tests need Debian's Chromium: apt-get install chromium"


class Given(SimpleNamespace):
    """Named inputs, as Snakemake hands them over."""

    def get(self, name, default):
        return getattr(self, name, default)


def run_script(root: Path, name: str, given: dict, output: Path) -> None:
    """Run a rule's script as Snakemake would."""
    snakemake = Given(
        input=Given(**given["input"]), params=Given(**given["params"]),
        output=[str(output)], log=[], threads=1,
    )  # fmt: skip
    path = root / "workflow" / "scripts" / f"{name}.py"
    exec(compile(path.read_text(), str(path), "exec"), {"snakemake": snakemake})


@pytest.fixture(scope="session")
def browser():
    """A running Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason=NEEDS_PLAYWRIGHT)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip(NEEDS_CHROMIUM)
    # Chromium's own sandbox refuses to run as root, which is what containers are
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def study(root, tmp_path_factory) -> Path:
    """A results folder of two models, with the report of the first."""
    from fabricated_study import fabricate

    folder = tmp_path_factory.mktemp("results")
    given = fabricate(folder, scans=5, models=("plain", "narrow"))
    given["params"]["models"] = ["plain"]
    for stage in ("models", "evaluation"):
        given["input"][stage] = given["input"][stage][:1]
    run_script(root, "report", given, folder / "report.html")
    return folder


@pytest.fixture
def opened(browser, study):
    """Open the report at a width and keep what it asked for and complained of."""
    pages = []

    def show(width: int, height: int = 844):
        page = browser.new_page(viewport={"width": width, "height": height})
        pages.append(page)
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((study / "report.html").as_uri())
        return page

    yield show
    for page in pages:
        page.close()
