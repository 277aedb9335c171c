"""A whole evaluation of a small study whose scanner effects are put there on purpose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.bound import PairedBound
from ctharmony.evaluation.cases import StudyTables, list_cases
from ctharmony.evaluation.gather import baseline_status, gather, study_input
from ctharmony.evaluation.metrics import COLUMNS
from ctharmony.evaluation.streaming import measure_case
from ctharmony.evaluation.study import evaluate_study
from scanner_effects import SITES, reader, value


@pytest.fixture(scope="module")
def evaluated(study, how) -> dict[str, pd.DataFrame]:
    tables, images = study
    stages = {"ingested": "in", "harmonized": "out", "baselines": "base", "truth": "sim"}
    stages |= {"features_before": "before", "features_after": "after"}
    folders = {stage: [Path(name) / site for site in SITES] for stage, name in stages.items()}
    files, numbers = gather(
        folders | {"model": [Path("model")]}, lambda path: tables[str(path)].copy(), {}
    )
    cases = list_cases(files)

    read = reader(images)

    def mean_shift(pairs):
        gap = float(np.mean([(target - source)[body].mean() for source, target, body, _ in pairs]))
        return lambda hu, spacing: hu + gap

    bound = PairedBound(cases, read, mean_shift, 2, "near")
    measured = [measure_case(case, read, how.paired, how.seen, bound) for case in cases]
    return evaluate_study(study_input(files, numbers, "near"), measured, how)


def test_columns_are_those_of_the_contract(evaluated):
    assert tuple(evaluated["metrics"].columns) == COLUMNS
    keys = evaluated["metrics"][["metric", "method", "stage", "site"]]
    assert not keys.duplicated().any()
    assert set(evaluated) >= {"paired", "probes", "notes", "site_divergence", "overlap"}


def test_how_baselines_fared_is_kept_without_their_images():
    scans = pd.DataFrame({"site": ["near", "far"], "scan": ["a", "b"], "status": "ok"})
    fared = pd.DataFrame({"scan": ["b", "a"], "method": "band_energy", "status": "ok",
                          "reason": None, "folder": "base/far"})  # fmt: skip
    tables = StudyTables(scans, scans, fared, pd.DataFrame(), {})
    kept = baseline_status(tables)
    assert list(kept.columns) == ["site", "scan", "method", "status", "reason"]
    assert list(zip(kept["site"], kept["scan"], strict=True)) == [("near", "a"), ("far", "b")]
    assert baseline_status(replace(tables, baselines=pd.DataFrame())).empty


def test_errors_order_the_methods_as_they_were_made(evaluated):
    errors = [
        value(evaluated, "clean_mae_hu", name) for name in ("none", "band_energy", "ctharmony")
    ]
    assert errors[0] > errors[1] > errors[2]
    # what is left is the target's noise of SD 15: a mean absolute value of 15 sqrt(2 / pi)
    assert errors[2] == pytest.approx(15 * np.sqrt(2 / np.pi), rel=0.03)


def test_the_target_site_is_left_out_of_all(evaluated):
    sites = [value(evaluated, "paired_mae_hu", "none", site=site) for site in ("far", "strange")]
    assert value(evaluated, "paired_mae_hu", "none") == pytest.approx(np.mean(sites))
    assert value(evaluated, "paired_mae_hu", "none", site="near") < min(sites)


def test_the_paired_bound_removes_the_offset_that_other_patients_show(evaluated):
    assert value(evaluated, "tissue_shift_hu_soft_tissue", "none", site="far") == pytest.approx(
        25, abs=2
    )
    bound = value(evaluated, "tissue_shift_hu_soft_tissue", "paired_wiener", site="far")
    assert bound < 3
    methods = set(evaluated["paired"].query("site == 'near'")["method"])
    assert "paired_wiener" not in methods


def test_the_site_is_seen_before_and_not_after(evaluated):
    assert value(evaluated, "site_auc_linear", "none") > 0.95
    assert value(evaluated, "site_auc_linear", "ctharmony") < 0.75
    assert value(evaluated, "wasserstein_hu", "ctharmony") < 0.4 * value(
        evaluated, "wasserstein_hu", "none"
    )
    assert value(evaluated, "site_auc_linear", "ctharmony", "latent") < 0.75


def test_latent_parts_are_told_apart_in_probes(evaluated):
    table = evaluated["probes"].query("stage == 'latent' and question == 'site_auc_linear'")
    by_part = table.set_index("part")["value"]
    assert by_part["scanner"] > 0.95 > by_part["biology"]


def test_biology_and_agreement_of_features(evaluated):
    assert value(evaluated, "biology_r2_body_fat", "ctharmony", "features") > 0.7
    before = value(evaluated, "icc_body_stat_mean", "none", "features")
    assert value(evaluated, "icc_body_stat_mean", "ctharmony", "features") > before
    assert value(evaluated, "distortion_nats", "ctharmony", "latent") == 88


def test_evidence_gives_the_site_away_before_and_not_after(evaluated):
    gains = evaluated["evidence"].groupby(["method", "evidence"])["gain_nats"].mean()
    totals = gains.groupby("method").sum()
    assert totals["none"] > 0.25
    assert totals["ctharmony"] < 0.1
