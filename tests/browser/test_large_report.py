"""A report of a thousand scans: how large it is, that it opens, and its pages one by one."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.report import (
    Example,
    ModelRecord,
    ReportSettings,
    StudyRecord,
    render_report,
)
from fabricated_evaluation import evaluation_tables, metrics
from fabricated_study import SETTINGS, SITES, chest, profile

COUNT, MOST_BYTES = 1000, 50e6
SHOWN = 20  # scans whose pages hold pictures; their share of the size is counted for all


def large_study() -> StudyRecord:
    """A thousand scans of three sites with everything that is kept of a scan."""
    generator = np.random.default_rng(1)
    sites = [str(site["site"]) for site in SITES]
    keys = pd.DataFrame({"site": [sites[k % 3] for k in range(COUNT)],
                         "scan": [f"scan{k:04d}" for k in range(COUNT)]})  # fmt: skip
    numbers = {f"measure_{k}": generator.normal(size=COUNT) for k in range(30)}
    scans = keys.assign(subject=keys["scan"], status="ok", reason=None, **numbers)
    latents = {f"z_b_{k}": generator.normal(size=COUNT) for k in range(24)}
    latents |= {f"z_s_{k}": generator.normal(size=COUNT) for k in range(8)}
    frequency = 0.0125 + 0.025 * np.arange(40)
    curves = [keys.assign(curve="nps", x=f, y=np.exp(-f) * (1 + 0.1 * generator.random(COUNT)))
              for f in frequency]  # fmt: skip
    harmonized = keys.assign(status="ok", reason=None, mean_absolute_change_hu=5.0)
    model = ModelRecord("plain", metrics(), evaluation_tables(), harmonized=harmonized,
                        latents=keys.assign(**latents),
                        priors={"summit": profile(2, 1.5)})  # fmt: skip
    registration = keys.assign(status="ok", coverage=0.9, mi_before_nats=0.4, mi_after_nats=0.9)
    return StudyRecord("large", "alpine", tuple(dict(site) for site in SITES), (model,),
                       scans=scans, curves=pd.concat(curves), registration=registration,
                       page_examples=tuple(pages(keys)))  # fmt: skip


def pages(keys: pd.DataFrame) -> list[Example]:
    found = []
    for row in keys.head(SHOWN).itertuples():
        hu, mask = chest(row.Index, 20.0, pixels=256)
        found.append(Example(row.site, row.scan, "plain", hu[0], hu[1], mask[0], (1.5, 1.5), 1, 4))
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("large") / "report.html"
    path.write_text(render_report(large_study(), ReportSettings(**SETTINGS)))
    return path


def test_a_thousand_scans_stay_under_fifty_megabytes(report):
    text = report.read_text()
    pictures = text.partition('id="page-data"')[2].partition("</script>")[0].count("image/jpeg")
    assert pictures == 3 * SHOWN
    share = sum(len(part.partition('"')[0]) for part in
                text.partition('id="page-data"')[2].split("image/jpeg")[1:])  # fmt: skip
    with_all_pictures = len(text) + share * (COUNT / SHOWN - 1)
    print(f"\n{len(text) / 1e6:.1f} MB, {with_all_pictures / 1e6:.1f} MB with all pictures")
    assert with_all_pictures <= MOST_BYTES


def test_it_opens_and_builds_a_page_only_when_asked(browser, report):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(180_000)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    start = time.perf_counter()
    page.goto(report.as_uri())
    print(f"\nopens in {time.perf_counter() - start:.1f} s")
    assert page.locator("details[data-page]").count() == COUNT
    assert page.locator("details[data-page] dl").count() == 0
    page.locator("[data-find-page]").fill("scan0003")
    shown = page.locator("details[data-page]:visible")
    assert shown.count() == 1
    shown.locator("summary").click()
    shown.locator("dl").first.wait_for()
    assert shown.locator("dl").count() >= 4
    assert shown.locator("img").count() == 3
    assert "0.900" in shown.inner_text()
    assert complaints == []
    page.close()
