"""What an evaluation says where scans, features or sites are missing, and of its words."""

import numpy as np
import pandas as pd
import pytest
import yaml

from ctharmony.evaluation.cases import StudyTables, list_cases, methods_of
from ctharmony.evaluation.feature_row import FeatureSettings
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.gather import study_input
from ctharmony.evaluation.metrics import metric_row, unit_of
from ctharmony.evaluation.questions import ask_biology, ask_scanner, scanner_labels
from ctharmony.evaluation.streaming import measure_case
from ctharmony.evaluation.study import evaluate_study
from ctharmony.evaluation.tables import feature_set
from ctharmony.settings import features_block
from scanner_effects import ROOT, SITES, Picture, reader, value


def test_a_scan_without_an_image_becomes_a_note(study, how):
    tables, images = study
    files = StudyTables(
        scans=tables["in/far/scans.tsv"].assign(folder="in/far"),
        harmonized=pd.DataFrame(),
        baselines=pd.DataFrame(),
        truth=pd.DataFrame(),
        pairs={"far-t0": "far-t1", "far-t1": "elsewhere"},
    )
    cases = {case.scan: case for case in list_cases(files)}
    assert "far-bad" not in cases and methods_of(list(cases.values())) == ["none"]
    assert cases["far-t0"].target == "in/far/far-t1.nii.gz" and not cases["far-t1"].has_truth

    def broken(path: str) -> Picture:
        raise ValueError(f"{path} cannot be read")

    found = measure_case(cases["far-t0"], broken, how.paired, how.seen)
    assert found.faults == ["far, far-t0: in/far/far-t0.nii.gz cannot be read"]
    cropped = {name: array[:2] if "mask" in name else array for name, array in images.items()}
    found = measure_case(cases["far-t1"], reader(cropped), how.paired, how.seen)
    assert "shape" in found.faults[0] and not found.features


def test_a_study_of_one_scan_a_site_says_what_it_cannot_answer(study, how):
    tables, images = study
    scans = pd.concat(
        [tables[f"in/{site}/scans.tsv"].head(1).assign(folder=f"in/{site}") for site in SITES]
    )
    files = StudyTables(scans, pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), {})
    numbers = {
        "before": pd.concat([tables[f"before/{site}/features.tsv"] for site in SITES]),
        "after": pd.concat([tables[f"after/{site}/features.tsv"] for site in SITES]),
        "latents": pd.concat([tables[f"out/{site}/latents.tsv"] for site in SITES]),
        "history": pd.DataFrame(),
    }
    cases = list_cases(files)
    measured = [measure_case(case, reader(images), how.paired, how.seen) for case in cases]
    found = evaluate_study(study_input(files, numbers, "near"), measured, how)
    assert np.isnan(value(found, "site_auc_linear", "none"))
    notes = found["notes"].query("question == 'site_auc_linear'")["reason"]
    assert notes.str.contains("cannot be answered").all() and len(notes) > 0


def test_a_method_without_features_is_refused_in_words(study, how):
    tables, _ = study
    scans = pd.concat([tables[f"in/{site}/scans.tsv"] for site in SITES])
    usable = scans[scans["status"] == "ok"]
    findings = Findings()
    nothing = pd.DataFrame({"scan": usable["scan"], "body_stat_mean": np.nan})
    features = feature_set(nothing, usable, ("ctharmony", "features", "radiomics"), "body_")
    ask_scanner(findings, features, scanner_labels(usable), how.probes)
    ask_biology(findings, features, usable[["scan"]].assign(age=range(len(usable))), how.probes)
    questions = findings.notes_frame()["question"].tolist()
    assert questions == ["site_auc_linear", "site_auc_forest", "biology_r2_age"]
    assert findings.notes_frame()["reason"].str.contains("no scan has radiomics").all()
    assert findings.metrics_frame()["value"].isna().all()


def test_metric_words_have_units_and_stages():
    assert unit_of("biology_r2_age") == "R2" and unit_of("tissue_shift_hu_bone") == "HU"
    with pytest.raises(ValueError, match="not a metric"):
        unit_of("beauty")
    with pytest.raises(ValueError, match="not a stage"):
        metric_row("mig", "none", "moon", None)


def test_the_configuration_has_what_features_need():
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    settings = FeatureSettings.from_dict(features_block(config))
    assert settings.radiomics.ranges_hu["lung"][0] == -1000
    own, base = config["features"]["noise"], config["ingest"]["quality"]["noise"]
    assert settings.image.noise.patch_mm == own["patch_mm"] != base["patch_mm"]
    assert settings.image.noise.block_mm == base["block_mm"]
    assert not set(own.items()) & {(k, v) for k, v in base.items() if not isinstance(v, list)}
