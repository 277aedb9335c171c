"""A headless Chromium (Debian's, driven by Playwright), or a reason why there is none."""

import os
import shutil
from pathlib import Path

import pytest

from fabricated_study import fabricate
from rule_script import run_script

PATIENCE_MS = 180_000  # other tests run beside
NEEDS_PLAYWRIGHT = "the browser tests need Playwright: pip install playwright"
NEEDS_CHROMIUM = "the browser tests need Debian's Chromium: apt-get install chromium"


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
def study(tmp_path_factory) -> Path:
    """A results folder of two models, with the report of the first."""
    folder = tmp_path_factory.mktemp("results")
    given = fabricate(folder, scans=5, models=("plain", "narrow"))
    given["params"]["models"] = ["plain"]
    for stage in ("models", "evaluation", "traversals"):
        given["input"][stage] = given["input"][stage][:1]
    run_script("report", given, folder / "report.html")
    return folder


@pytest.fixture
def opened(browser, study):
    """Open the report at a width and keep what it asked for and complained of."""
    pages = []

    def show(width: int, height: int = 844):
        page = browser.new_page(viewport={"width": width, "height": height})
        pages.append(page)
        page.set_default_timeout(PATIENCE_MS)
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((study / "report.html").as_uri())
        return page

    yield show
    for page in pages:
        page.close()
