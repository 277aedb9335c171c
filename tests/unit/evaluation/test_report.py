"""The report: right words, everything escaped, nothing fetched, nothing missing breaks it."""

import base64
import importlib.util
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from ctharmony.evaluation.report import evidence, render_report, sweep
from ctharmony.evaluation.report.pictures import toned
from ctharmony.io.tables import read_table, write_table
from fabricated_evaluation import metrics
from fabricated_study import SETTINGS, SITES, fabricate
from report_page import EMPTY, HOW, Page, record, report_of, text_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return report_of(fabricate(folder, models=("plain", "narrow")), folder / "report.html")


def test_script_writes_every_section(whole):
    tags = Page(whole).tags
    anchors = {attrs.get("id") for tag, attrs in tags if tag == "section"}
    assert anchors == {
        "verdict", "promises", "harmonization", "agreement", "probes", "evidence", "distances",
        "cohort", "quality", "site-quality", "registration", "scans", "model-plain",
        "model-narrow", "models", "tables-plain", "tables-narrow",
    }  # fmt: skip
    linked = {attrs["href"][1:] for tag, attrs in tags if attrs.get("href", "").startswith("#")}
    assert linked == anchors


def test_quality_control_of_each_site(whole):
    page = text_of(whole)
    assert "harbour: scans to look at" in page
    assert "noise_sd_hu is 99" in page
    assert "alpine: every scan came in" not in page  # its last scan was warned of
    assert "0.06 (p 0.100)" in page
    assert "Wasserstein distance of the sites' histograms (HU)" in page
    alternatives = [attrs.get("alt", "") for tag, attrs in Page(whole).tags if tag == "img"]
    for site in SITES:
        assert f"Histogram, NPS and MTF of each scan of {site['site']}" in alternatives


def test_verdict_says_what_the_numbers_say(whole):
    page = text_of(whole)
    assert "AUC 0.99 → 0.78" in page
    assert "28.0 → 14.0 HU" in page
    assert "1 of 1 traits kept" in page
    assert "Best baseline: physics control (no learning), 15.0 [13.5, 16.5] HU, less near." in page
    assert "Physics control (no learning) does better than ours in SSIM" in page
    assert "MAE to the noise-free target: no noise-free truth is known." in page


def test_nothing_is_fetched_and_scripts_are_our_own(whole):
    for tag, attrs in Page(whole).tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            address = attrs.get(name)
            assert address is None or address.startswith(("data:", "#")), (tag, address)
        assert not any(name.startswith("on") for name in attrs)
    assert "url(" not in whole and "@import" not in whole
    assert "default-src 'none'" in whole


def test_words_of_the_study_are_escaped(whole, tmp_path, unpainted):
    assert "&lt;b&gt;only 4 slices&lt;/b&gt;" in whole and "<b>only 4 slices" not in whole
    given = fabricate(tmp_path)
    given["params"]["study"] = "<script>alert(1)</script>"
    page = report_of(given, tmp_path / "report.html")
    assert page.count("<script>") == 1 and "&lt;script&gt;alert(1)" in page


def test_pictures_have_words_and_controls_have_labels(whole):
    tags = Page(whole).tags
    assert all(attrs.get("alt") for tag, attrs in tags if tag == "img")
    sliders = [attrs for tag, attrs in tags if attrs.get("type") == "range"]
    assert len(sliders) == 3 and all(attrs["aria-label"] for attrs in sliders)
    identities = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(identities) == len(set(identities))


def test_same_results_give_the_same_bytes(tmp_path):
    pages = [report_of(fabricate(tmp_path / name, 1), tmp_path / f"{name}.html") for name in "ab"]
    assert pages[0] == pages[1]


def test_downloads_hold_the_table(whole):
    links = [a["href"] for t, a in Page(whole).tags if a.get("download") == "metrics_of_plain.tsv"]
    content = base64.b64decode(links[0].partition(",")[2]).decode()
    assert content.splitlines()[0].split("\t") == list(metrics().columns)
    assert len(content.splitlines()) == len(metrics()) + 1


def test_models_are_compared_by_rate_and_distortion(whole):
    assert "Models compared" in whole and "Rate against distortion of each model" in whole
    assert sweep.sweep_section(record()) is None


def test_evidence_is_told_by_kind_tissue_and_place(whole):
    page = text_of(whole)
    for words_of_it in ("By what is the site told?", "By what is the patient's density (HU), high",
                        "0.69 nats for the density (HU)",
                        "stand in evidence_map.tsv alone"):  # fmt: skip
        assert words_of_it in page
    alternatives = [attrs.get("alt", "") for tag, attrs in Page(whole).tags if tag == "img"]
    assert "In which tissue? Before and after" in alternatives
    for question in ("site", "density (HU)"):
        assert f"summit: summit-00, {question}; as scanned, harmonized" in alternatives
        assert f"evidence of the {question}, harmonized, orange tells it" in whole


def test_places_are_painted_as_squares_that_touch():
    places = pd.DataFrame({"row": [4.0, 4.0, 8.0], "column": [4.0, 8.0, 4.0], "x": [1.0, -1, 2]})
    found = evidence.painted(places, "x", (12, 12))
    assert (found[2:6, 2:6] == 1).all() and (found[2:6, 6:10] == -1).all()
    assert (found[6:10, 2:6] == 2).all() and np.count_nonzero(found) == 48
    colours = toned(np.full((12, 12), 100, np.uint8), found)
    assert colours[3, 3, 0] > colours[3, 3, 2] and colours[3, 7, 2] > colours[3, 7, 0]
    assert (colours[0, 0] == 100).all()


def test_an_empty_study_is_told_in_words(unpainted):
    page = text_of(render_report(EMPTY, HOW))
    for words_of_it in ("no scans", "no paired scans", "No training history was kept",
                        "No scan was registered", "No harmonized scan could be shown",
                        "the evaluation of plain holds no metrics"):  # fmt: skip
        assert words_of_it in page
    with pytest.raises(ValueError, match="names no model"):
        render_report(replace(EMPTY, models=()), HOW)


@pytest.mark.parametrize("lost", ["scans.tsv", "curves.tsv", "registration.tsv", "baselines.tsv",
    "harmonized.tsv", "latents.tsv", "history.tsv", "model_card.json", "metrics.tsv", "notes.tsv",
    "site_divergence.tsv", "paired.tsv"])  # fmt: skip
def test_a_lost_table_breaks_nothing(tmp_path, lost, unpainted):
    given = fabricate(tmp_path, scans=1)
    for path in tmp_path.rglob(lost):
        path.unlink()
    assert "Verdict" in report_of(given, tmp_path / "report.html")


def test_not_a_number_everywhere_is_told_in_words(tmp_path, unpainted):
    given = fabricate(tmp_path, scans=1)
    for path in tmp_path.rglob("*.tsv"):
        frame = read_table(path)
        numbers = frame.select_dtypes("number").columns.difference(["epoch", "x"])
        write_table(path, frame.assign(**dict.fromkeys(numbers, np.nan)))
    page = text_of(report_of(given, tmp_path / "report.html"))
    assert "cannot be answered" in page and "not measured in any scan" in page


def test_a_scan_that_cannot_be_read_costs_its_picture_only(tmp_path, unpainted):
    given = fabricate(tmp_path, scans=1)
    (tmp_path / "ingested" / "summit" / "b0000" / "summit-00.nii.gz").write_bytes(b"torn")
    page = report_of(given, tmp_path / "report.html")
    assert "harbour: harbour-00, slice" in page and "summit: summit-00, slice" not in page


def test_set_aside_and_failed_scans_stand_with_their_reasons(tmp_path, unpainted):
    given = fabricate(tmp_path)
    for stage, table, status in (("ingested", "scans", "set_aside"),
                                 ("registered", "registration", "failed")):  # fmt: skip
        path = tmp_path / stage / "harbour" / "b0000" / f"{table}.tsv"
        frame = read_table(path).astype({"reason": object})
        frame.loc[0, ["status", "reason"]] = [status, f"reason of {stage}"]
        write_table(path, frame)
    fared = {"site": "harbour", "scan": "harbour-00", "method": "band_energy",
             "status": "set_aside", "reason": "reason of a baseline"}  # fmt: skip
    write_table(tmp_path / "evaluation" / "plain" / "baselines.tsv", pd.DataFrame([fared]))
    page = text_of(report_of(given, tmp_path / "report.html"))
    assert "reason of a baseline" in page
    assert "reason of ingested" in page and "reason of registered" in page
    assert "8 of 9 scans" in page and "1 scan was lost in registration" in page


def test_many_sites_are_drawn_by_role(unpainted):
    sites = tuple({"site": f"s{k}", "role": "query" if k else "reference"} for k in range(40))
    scans = pd.DataFrame({"site": [s["site"] for s in sites], "scan": "a", "subject": "b",
                          "status": "ok", "noise_sd_hu": 10.0, "contrast_nats": 1.0})  # fmt: skip
    page = text_of(render_report(record(sites=sites, scans=scans), HOW))
    assert "too many sites to draw" in page


def test_settings_of_the_schema_are_those_of_the_report(root):
    schema = yaml.safe_load((root / "workflow" / "schemas" / "report.schema.yaml").read_text())
    assert set(schema["required"]) == set(schema["properties"]) == set(SETTINGS) - {"ccc_threshold"}


def test_report_needs_neither_torch_nor_mlflow():
    code = "import sys, ctharmony.evaluation.report; print({'torch', 'mlflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_captions_of_the_workflow_report_exist(root):
    folder = root / "workflow" / "report"
    rules = "".join(path.read_text() for path in (root / "workflow" / "rules").glob("*.smk"))
    named = set(re.findall(r"report/([\w-]+\.rst)", rules))
    assert named <= {path.name for path in folder.glob("*.rst")}
    assert importlib.util.find_spec("ctharmony") is not None
