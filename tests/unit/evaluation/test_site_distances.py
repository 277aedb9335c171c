"""Distances of sites' histograms, latents against factors, overlap of patients."""

import numpy as np
import pytest

from ctharmony.evaluation.disentanglement import (
    dci,
    mutual_information_gap,
    separated_predictability,
    splits_of,
)
from ctharmony.evaluation.overlap import coded, overlap_coefficient, overlap_table
from ctharmony.evaluation.site_distance import divergence_table, site_histograms

CENTRES = np.arange(0.0, 100.0, 10.0)


def spike(position: int) -> np.ndarray:
    return np.eye(len(CENTRES))[position]


def test_disjoint_histograms_saturate_js_and_differ_by_their_distance():
    table = divergence_table({"a": spike(1), "b": spike(1), "c": spike(6)}, CENTRES, "none")
    found = table.set_index(["site_a", "site_b"])
    assert found.loc[("a", "b"), "js_nats"] == 0
    assert found.loc[("a", "c"), "js_nats"] == pytest.approx(np.log(2))
    assert found.loc[("a", "c"), "wasserstein_hu"] == pytest.approx(50)
    assert len(table) == 3


def test_site_histograms_are_means_and_leave_out_empty_scans():
    rows = np.array([spike(0), spike(1), np.full(10, np.nan), spike(4)])
    found = site_histograms(rows, np.array(["b", "b", "b", "a"]))
    assert list(found) == ["a", "b"]
    assert found["b"] == pytest.approx((spike(0) + spike(1)) / 2)


def factors_and_latents(mixed: bool) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    factors = generator.normal(size=(120, 2))
    clean = np.column_stack([factors, generator.normal(size=120)])
    angle = np.pi / 4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    blended = np.column_stack([factors @ turn, clean[:, 2]])
    return (blended if mixed else clean), factors


def splits(latents: np.ndarray) -> list[np.ndarray]:
    return splits_of(np.arange(len(latents)).astype(str), 2, 0)


def test_splits_never_part_a_subject():
    subjects = np.array(list("aabbccddee"))
    for held in splits_of(subjects, 3, 0):
        assert not set(subjects[held]) & set(subjects[~held])
    assert len(splits_of(subjects[:4], 3, 0)) == 2


def test_one_latent_per_factor_scores_high_and_a_rotation_low():
    scores = {}
    for mixed in (False, True):
        latents, factors = factors_and_latents(mixed)
        found, spread = dci(latents, factors, splits(latents), 0)
        assert 0 <= spread.disentanglement < 0.2
        scores[mixed] = (
            mutual_information_gap(latents, factors),
            separated_predictability(latents, factors),
            found.disentanglement,
            found.completeness,
        )
        assert found.informativeness > 0.85
    assert min(scores[False]) > 0.8
    assert max(scores[True]) < 0.35


def test_latents_that_know_nothing_score_nothing():
    generator = np.random.default_rng(1)
    latents, factors = generator.normal(size=(400, 3)), generator.normal(size=(400, 1))
    assert mutual_information_gap(latents, factors) < 0.05
    assert separated_predictability(latents, factors) < 0.05
    assert dci(latents, factors, splits(latents), 0)[0].informativeness < 0.05


def test_overlap_of_equal_disjoint_and_half_shared_ages():
    young, old = np.arange(20.0, 40.0), np.arange(60.0, 80.0)
    assert overlap_coefficient(young, young) == pytest.approx(1)
    assert overlap_coefficient(young, old) == 0
    assert overlap_coefficient(np.r_[young, old], old) == pytest.approx(0.5)
    assert overlap_coefficient(np.ones(3), np.ones(5)) == 1


def test_overlap_table_counts_subjects_once_and_judges():
    factors = {"age": [30, 31, 32, 70, 71, 72, 72], "sex": ["F", "M", "F", "M", "F", "M", "M"]}
    sites = ["a"] * 3 + ["b"] * 4
    subjects = ["p", "q", "r", "s", "t", "u", "u"]
    found = overlap_table(factors, sites, subjects, 0.3).set_index("factor")
    assert not found.loc["age", "answerable"] and found.loc["age", "overlap"] == 0
    assert found.loc["sex", "answerable"]
    assert found["n_second"].tolist() == [3, 3]


def test_text_is_coded_in_sorted_order_and_missing_stays_missing():
    assert coded(["M", "F", None]).tolist()[:2] == [1.0, 0.0]
    assert np.isnan(coded(["M", "F", None]).iloc[2])
    assert coded(["61", "59.5"]).tolist() == [61.0, 59.5]
