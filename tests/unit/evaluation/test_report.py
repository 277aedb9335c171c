"""The report: right words, everything escaped, nothing fetched, nothing missing breaks it."""

import base64
import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from ctharmony.evaluation.report import (
    Example,
    ModelRecord,
    ReportSettings,
    StudyRecord,
    blocks,
    modelling,
    pictures,
    render_report,
    sweep,
    verdict,
    warnings,
    words,
)
from ctharmony.evaluation.report.agreement import judged
from ctharmony.io import results
from ctharmony.io.tables import read_table, write_table
from fabricated_study import SETTINGS, SITES, chest, evaluation_tables, fabricate, metrics
from rule_script import run_script

HOW = ReportSettings(**SETTINGS)
EMPTY = StudyRecord("empty", "alpine", (), (ModelRecord("plain"),))


def report_of(given: dict, output) -> str:
    """The report that the rule's script writes."""
    run_script("report", given, output)
    return output.read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return report_of(fabricate(folder, models=("plain", "narrow")), folder / "report.html")


@pytest.fixture
def unpainted(monkeypatch):
    """Figures are built and not painted, which takes most of a report's time."""
    stub = SimpleNamespace(save=lambda figure, kind: b"<svg/>")
    monkeypatch.setattr(blocks, "figures", stub)


def record(**changes) -> StudyRecord:
    model = ModelRecord("plain", metrics=metrics(), tables=evaluation_tables())
    study = StudyRecord("study", "alpine", tuple(dict(site) for site in SITES), (model,))
    return replace(study, **changes)


class Page(HTMLParser):
    """Every tag with its attributes, and every text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def text_of(page: str) -> str:
    return " ".join(" ".join(Page(page).texts).split())


def test_script_writes_every_section(whole):
    tags = Page(whole).tags
    anchors = {attrs.get("id") for tag, attrs in tags if tag == "section"}
    assert anchors == {
        "verdict", "promises", "harmonization", "agreement", "probes", "distances", "cohort",
        "quality", "site-quality", "registration", "scans", "model-plain", "model-narrow", "models",
        "tables-plain", "tables-narrow",
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
    page = text_of(report_of(given, tmp_path / "report.html"))
    assert "reason of ingested" in page and "reason of registered" in page
    assert "8 of 9 scans" in page and "1 scan was lost in registration" in page


def test_many_sites_are_drawn_by_role(unpainted):
    sites = tuple({"site": f"s{k}", "role": "query" if k else "reference"} for k in range(40))
    scans = pd.DataFrame({"site": [s["site"] for s in sites], "scan": "a", "subject": "b",
                          "status": "ok", "noise_sd_hu": 10.0, "contrast_nats": 1.0})  # fmt: skip
    page = text_of(render_report(record(sites=sites, scans=scans), HOW))
    assert "too many sites to draw" in page


def test_our_method_may_bear_the_models_name(unpainted):
    renamed = metrics().replace({"method": {"ctharmony": "plain"}})
    model = ModelRecord("plain", metrics=renamed)
    assert "28.0 → 14.0 HU" in text_of(render_report(record(models=(model,)), HOW))


def test_scanner_status_follows_the_limit():
    def status(after: float) -> str:
        frame = metrics()
        probes = frame["metric"].str.startswith("site_auc") & (frame["method"] == "ctharmony")
        frame.loc[probes, "value"] = after
        return verdict.scanner_card(ModelRecord("m", metrics=frame), HOW).status

    assert [status(auc) for auc in (0.6, 0.65, 0.8, 0.97)] == ["good", "good", "partly", "bad"]


def test_biology_counts_only_what_could_be_read_before():
    card = verdict.biology_card(ModelRecord("m", metrics=metrics()), HOW)
    assert (card.status, card.headline) == ("good", "1 of 1 traits kept")
    frame = metrics()
    chosen = (frame["metric"] == "biology_r2_body_fat") & (frame["method"] == "ctharmony")
    frame.loc[chosen, "value"] = 0.3
    assert verdict.biology_card(ModelRecord("m", metrics=frame), HOW).status == "bad"
    lost = warnings.warnings(record(), ModelRecord("m", metrics=frame), HOW)
    assert any("R2 of body fat fell from 0.800" in sentence for sentence in lost)


@pytest.mark.parametrize(("ours", "status"), [(14.0, "good"), (20.0, "partly"), (30.0, "bad")])
def test_truth_is_honest_about_better_baselines(ours, status):
    frame = metrics()
    chosen = (frame["metric"] == "paired_mae_hu") & (frame["method"] == "ctharmony")
    frame.loc[chosen, "value"] = ours
    model = ModelRecord("m", metrics=frame)
    assert verdict.truth_card(record(), model).status == status
    beaten = [s for s in warnings.warnings(record(), model, HOW) if "MAE to the target" in s]
    assert bool(beaten) == (status != "good")


def test_marks_of_the_method_table():
    scores = {"none": 0.8, "band_energy": 0.95, "paired_wiener": 0.99, "ctharmony": 0.9}
    values = {("paired_ssim", method): words.Estimate(score) for method, score in scores.items()}
    marks = {method: judged(values, name, method).mark for name, method in values}
    assert marks == {"none": "", "band_energy": "best beats", "paired_wiener": "", "ctharmony": ""}


def test_an_unhealthy_model_and_shifted_tissue_are_warned_of():
    frame = pd.concat([metrics(), pd.DataFrame([{
        "metric": "tissue_shift_hu", "method": "ctharmony", "stage": "image", "site": "all",
        "value": 7.0, "ci_low": 6.0, "ci_high": 8.0, "unit": "HU", "n": 12}])])  # fmt: skip
    model = ModelRecord("m", metrics=frame, card={"status": "z_s collapsed"})
    said = " ".join(warnings.warnings(record(), model, HOW))
    assert "z_s collapsed" in said and "7.00 [6.00, 8.00] HU" in said


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (12.345, "12.3"), (0.01234, "0.0123"),
    (-3.0, "-3.00"), (123456.0, "123\u202f456"), (float("nan"), "not available")])  # fmt: skip
def test_numbers_have_three_significant_digits(value, text):
    assert words.number(value) == text


def test_windowed_slice_maps_level_and_width_to_grey():
    hu = np.array([[-160.0, 40.0, 240.0, 999.0, np.nan]])
    assert pictures.window(hu, 40, 400).tolist() == [[0, 128, 255, 255, 0]]


def test_slices_are_shown_from_below_with_the_right_at_the_left():
    slice_ = np.zeros((4, 6))
    slice_[3, 5] = 1.0  # anterior right in RAS
    assert np.argwhere(pictures.radiological(slice_)).tolist() == [[0, 0]]


def test_unchanged_is_white_brighter_red_darker_blue():
    white, red, blue = pictures.change_colours(np.array([[0.0, 200.0, -200.0]]), 100.0)[0]
    assert white.min() > 240 and red[0] > red[2] and blue[2] > blue[0]


def test_pictures_are_reduced_and_millimetres_are_square():
    grey = np.zeros((100, 200), dtype=np.uint8)

    def size(**how):
        return Image.open(BytesIO(pictures.encode(grey, **how))).size

    assert size(longest=500) == (200, 100)
    assert size(longest=100) == (100, 50)
    assert size(longest=500, aspect=2.0) == (200, 200)


def test_examples_show_one_subject_at_every_site_and_the_target_last():
    scans = pd.DataFrame({
        "site": ["a", "a", "b", "b", "c"], "scan": ["a1", "a2", "b1", "b2", "c2"],
        "subject": ["own", "shared", "other", "shared", "shared"]})  # fmt: skip
    every = set(zip(scans["site"], scans["scan"], strict=True))
    assert results.choose_scans(scans, every, 1, 9, "a") == [("b", "b2"), ("c", "c2"), ("a", "a2")]
    assert results.choose_scans(scans, every, 2, 4)[3:] == [("a", "a1")]
    assert results.choose_scans(scans, {("b", "b1")}, 2, 9) == [("b", "b1")]
    assert results.choose_scans(pd.DataFrame(), every, 2, 9) == []


def test_slices_shown_lie_in_the_lungs_where_there_are_any():
    mask = np.zeros((10, 4, 4), dtype=np.uint8)
    assert results.chosen_slices(mask, 1) == [4]
    mask[2:9] = 1
    mask[5:8, 1, 1] = 2
    assert results.chosen_slices(mask, 1) == [6]
    assert len(results.chosen_slices(mask, 3)) <= 3


def test_principal_components_find_the_direction_of_most_variance():
    stream = np.random.default_rng(0)
    along = stream.normal(0, 5, 200)
    values = np.column_stack([along, along, stream.normal(0, 0.1, 200)])
    scores, shares = modelling.principal(values)
    assert shares[0] > 0.99
    assert abs(np.corrcoef(scores[:, 0], along)[0, 1]) > 0.999
    assert modelling.principal(np.zeros((3, 1)))[1].tolist() == [0.0, 0.0]


def test_change_of_the_slice_stands_in_the_caption(unpainted):
    volume, mask = chest(0, 0.0)
    example = Example(
        "summit", "s1", "plain", volume[0], volume[0] + 10.0, mask[0], (2.0, 2.0), 1, 4
    )
    page = text_of(render_report(record(examples=(example,)), HOW))
    assert "changed by 10.0 HU on average" in page


def test_settings_of_the_schema_are_those_of_the_report(root):
    schema = yaml.safe_load((root / "workflow" / "schemas" / "report.schema.yaml").read_text())
    assert set(schema["required"]) == set(schema["properties"]) == set(SETTINGS)


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
