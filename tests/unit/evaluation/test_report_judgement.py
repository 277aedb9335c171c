"""What the report says of the numbers: cards, warnings, marks, words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.report import (
    ModelRecord,
    modelling,
    render_report,
    verdict,
    warnings,
    words,
)
from ctharmony.evaluation.report.agreement import judged
from ctharmony.evaluation.report.words import metric_label
from fabricated_evaluation import metrics
from report_page import HOW, record, text_of


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


def test_principal_components_find_the_direction_of_most_variance():
    stream = np.random.default_rng(0)
    along = stream.normal(0, 5, 200)
    values = np.column_stack([along, along, stream.normal(0, 0.1, 200)])
    scores, shares = modelling.principal(values)
    assert shares[0] > 0.99
    assert abs(np.corrcoef(scores[:, 0], along)[0, 1]) > 0.999
    assert modelling.principal(np.zeros((3, 1)))[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("aim", "told"),
    [("target", "the scanner of alpine"), ("barycentre", "the middle of the reference sites")],
)
def test_the_first_sentence_says_what_was_aimed_at(aim, told):
    assert verdict.sentence(record(aim=aim), []).startswith(f"Harmonized to {told}")


def test_many_images_that_could_not_be_measured_are_counted():
    reasons = [f"summit, scan{number}: torn" for number in range(9)]
    notes = pd.DataFrame({"question": "image", "reason": reasons})
    model = ModelRecord("plain", metrics=metrics(), tables={"notes": notes})
    told = [line for line in warnings.unanswered(record(), model) if line.startswith("Image")]
    assert len(told) == 5 and told[0] == "Image: summit, scan0: torn."
    assert told[-1].startswith("Image: 5 more")


def test_features_that_a_site_does_not_know_are_told_in_words_and_scans_by_their_ids():
    reasons = {
        "features": "not compared, for summit does not know them: image_nps_7, lung_mean_hu",
        "site_auc": "cannot be answered for image_01",
    }
    notes = pd.DataFrame({"question": list(reasons), "reason": list(reasons.values())})
    model = ModelRecord("plain", metrics=metrics(), tables={"notes": notes})
    told = " ".join(warnings.unanswered(record(), model))
    assert "image noise spectrum 7, lung mean (HU)" in told and "for image_01" in told


@pytest.mark.parametrize(
    ("sites", "told"),
    [
        (["alpine", "summit"], "no patient was scanned at two sites"),
        (["alpine", "alpine"], "no patient was scanned at two sites"),
        (["alpine", "alpine", "summit"], "patients scanned at two sites: 1, but none"),
    ],
)
def test_why_agreement_is_unknown(sites, told):
    subjects = ["p1", "p2", "p1"][: len(sites)]
    study = replace(record(), scans=pd.DataFrame({"site": sites, "subject": subjects}))
    unpaired = metrics()[metrics()["metric"] != "paired_mae_hu"]
    said = warnings.unanswered(study, ModelRecord("m", metrics=unpaired))
    assert any(line.startswith(f"Agreement with the target scanner: {told}") for line in said)


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("biology_r2_true_laa950_percent", "R2 of true LAA-950 (%)"),
        ("biology_r2_lung_density_hu", "R2 of lung density (HU)"),
        ("site_auc_cnn", "site probe, network"),
        ("trait_evidence_nats_soft_tissue", "patient's trait, in soft tissue"),
    ],
)
def test_names_of_measures_are_words_with_units(metric, label):
    assert metric_label(metric) == label


def test_agreement_of_one_patient_is_not_said_to_have_an_interval():
    frame = metrics()
    frame.loc[frame["metric"] == "paired_mae_hu", "n"] = 1
    model = ModelRecord("m", metrics=frame)
    told = " ".join(warnings.warnings(record(models=(model,)), model, HOW))
    assert "Agreement rests on one patient" in told and "patients only" not in told


def test_sites_of_one_or_two_scans_are_warned_of():
    priors = {"north": {"n_scans": 5}, "heart": {"n_scans": 1}, "east": {"n_scans": 2}}
    said = " ".join(warnings.warnings(record(), ModelRecord("m", priors=priors), HOW))
    assert "Sites known from fewer than 3 scans: heart (1), east (2). What is their" in said
    priors = {"north": {"n_scans": 3}}
    assert "known from" not in " ".join(
        warnings.warnings(record(), ModelRecord("m", priors=priors), HOW)
    )
