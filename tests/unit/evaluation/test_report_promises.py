"""The promises' table by hand, every scan's page, scans unlike what the model has seen."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.report import Example, ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.bars import bars_section, site_means
from ctharmony.evaluation.report.scan_pages import far_scans, scan_section
from fabricated_study import SETTINGS, SITES, chest

HOW = ReportSettings(**SETTINGS)


def row(
    metric: str, method: str, site: str, value: float, stage: str = "image", n: int = 6
) -> dict:
    return {"metric": metric, "method": method, "stage": stage, "site": site, "value": value,
            "ci_low": value, "ci_high": value, "unit": "HU", "n": 6}  # fmt: skip


@pytest.fixture
def study() -> StudyRecord:
    rows = [
        row("paired_mae_hu", method, site, value)
        for method, values in {
            "none": (30.0, 30.0), "band_energy": (20.0, 20.0), "ctharmony": (14.0, 16.0),
            "paired_wiener": (13.5, 12.0),
        }.items()
        for site, value in zip(("harbour", "summit"), values, strict=True)
    ]  # fmt: skip
    rows += [row("paired_mae_hu", "ctharmony", "alpine", 1.0)]
    rows += [row("noise_sd_ratio", "ctharmony", site, v) for site, v in
             (("harbour", 1.04), ("summit", 0.9))]  # fmt: skip
    rows += [row("tissue_shift_hu_bone", "ctharmony", "summit", 12.0)]
    rows += [row("site_auc_cnn", m, "all", v) for m, v in (("none", 0.99), ("ctharmony", 0.58))]
    rows += [row("site_auc_forest", m, "all", v, "features") for m, v in
             (("none", 0.95), ("ctharmony", 0.7))]  # fmt: skip
    rows += [row("biology_r2_age", m, "all", v, "features") for m, v in
             (("none", 0.5), ("ctharmony", 0.495))]  # fmt: skip
    model = ModelRecord("plain", metrics=pd.DataFrame(rows))
    return StudyRecord("study", "alpine", tuple(dict(site) for site in SITES), (model,))


def test_promises_are_judged_for_query_and_reference_sites_apart(study):
    section = bars_section(study, study.models[0])
    table = section.blocks[1]
    told = {cells[0].text: [cell.text for cell in cells[1:]] for cells in table.rows}
    unpaired = told["MAE at most 0.75 times the best unpaired method's"]
    assert unpaired == [
        "missed: 16.0 against 20.0 (frequency-band energy)", "6",
        "held: 14.0 against 20.0 (frequency-band energy)", "6",
    ]  # fmt: skip
    wiener = told["MAE at most 1.05 times the paired Wiener filter's"]
    assert [text.split(":")[0] for text in wiener[::2]] == ["missed", "held"]
    noise = told["noise SD within 5% of the target's"]
    assert [text.split(":")[0] for text in noise[::2]] == ["missed", "held"]
    assert told["shift of bone at most 10 HU"][:3] == ["missed: 12.0", "6", "–"]
    assert told["AUC of every site probe at most 0.60, image"][0].startswith("held: 0.580")
    assert told["AUC of every site probe at most 0.60, features"][0].startswith("missed: 0.700")
    assert any(label.startswith("every trait") and cells[0].startswith("held")
               for label, cells in told.items())  # fmt: skip
    assert section.blocks[0].text == "5 held, 5 missed."
    assert table.download and not any("SSIM" in label for label in told)


def test_the_target_site_is_never_counted(study):
    found = site_means(study, study.models[0].metrics, "reference", "paired_mae_hu")
    assert found["ctharmony"] == (14.0, 6)


def test_without_measures_there_is_no_table(study):
    assert bars_section(study, ModelRecord("empty")) is None


@pytest.fixture
def scanned() -> StudyRecord:
    scans = pd.DataFrame({"site": ["alpine", "summit"], "scan": ["a1", "s1"], "status": "ok",
                          "reason": None, "noise_sd_hu": [12.0, np.nan]})  # fmt: skip
    latents = pd.DataFrame({"site": ["alpine", "summit"], "scan": ["a1", "s1"],
                            "z_s_0": [0.5, 8.0], "z_s_1": [0.0, 6.0]})  # fmt: skip
    prior = {"prior_mean": [0.0, 0.0], "prior_logvar": [0.0, 0.0]}
    model = ModelRecord("plain", latents=latents, priors={"alpine": prior, "summit": prior})
    hu, mask = chest(1, 10.0)
    words = ("summit", "s1", "plain", hu[0], hu[0] + 20, mask[0], (2.0, 2.0), 1, 4)
    outliers = pd.DataFrame({"site": ["alpine"], "scan": ["a1"], "outlier": [True],
                             "reason": ["noise_sd_hu is </script> 99"]})  # fmt: skip
    return StudyRecord("study", "alpine", tuple(dict(site) for site in SITES), (model,),
                       scans=scans, outliers=outliers,
                       page_examples=(Example(*words),))  # fmt: skip


def test_every_scan_has_a_page_with_what_is_known(scanned):
    text, pages = scan_section(scanned, HOW).blocks
    first, second = pages.data
    assert first["name"] == "alpine / a1" and not first["pictures"]
    assert ["noise SD (HU)", "12.0"] in first["parts"][0]["rows"]
    assert not any("noise" in label for label, _ in second["parts"][0]["rows"])
    assert [part["title"] for part in second["parts"]] == ["Quality", "Latents, plain"]
    assert [name for name, _ in second["pictures"]][:2] == ["as scanned", "harmonized"]
    assert json.loads(json.dumps(pages.data)) == pages.data
    assert "2 findings in 2 scans" in text.text and text.tone == "warning"


def test_scans_far_from_their_sites_prior_are_named(scanned):
    # RMS of 8 and 6 is the square root of 50
    assert far_scans(scanned) == [("summit / s1", pytest.approx(np.sqrt(50)))]
    model = replace(scanned.models[0], priors={})
    assert far_scans(replace(scanned, models=(model,))) == []


def test_a_study_without_scans_has_no_pages(scanned):
    assert scan_section(replace(scanned, scans=pd.DataFrame()), HOW) is None
