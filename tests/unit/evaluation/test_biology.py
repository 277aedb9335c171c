"""Biology probes and effect sizes on data whose effects are known."""

import numpy as np
import pytest

from ctharmony.evaluation.biology import correlations, effect_bias, factor_kind, probe_factor
from ctharmony.evaluation.probes import Sample

SUBJECTS = np.array([f"s{index}" for index in range(60)])
SITES = np.tile(["a", "b", "c"], 20)


def given(signal: float, seed: int = 0) -> tuple[Sample, np.ndarray]:
    generator = np.random.default_rng(seed)
    age = generator.normal(60, 10, 60)
    features = generator.normal(size=(60, 5))
    features[:, 0] += signal * (age - 60) / 10
    return Sample(features, SUBJECTS, SITES), age


def test_r2_approaches_the_share_that_noise_leaves(quick):
    sample, age = given(3.0)
    found = probe_factor(sample, age.tolist(), quick)
    # one feature carries signal variance 9 under noise variance 1
    assert found.value == pytest.approx(0.9, abs=0.06)
    assert found.low < found.value < found.high and found.n == 60


def test_r2_without_signal_is_not_above_zero(quick):
    values = [probe_factor(*_listed(given(0.0, seed)), quick).value for seed in range(5)]
    assert np.mean(values) < 0.05


def test_two_valued_factors_are_judged_by_auc(quick):
    sample, age = given(4.0)
    sex = np.where(age > 60, "F", "M").tolist()
    assert probe_factor(sample, sex, quick).value > 0.9
    assert [factor_kind(values) for values in (sex, age, ["x", "y", "z"], [1.0, 1.0])] == [
        "auc",
        "r2",
        "none",
        "none",
    ]


def test_missing_values_are_left_out_and_too_few_refused(quick):
    sample, age = given(3.0)
    assert probe_factor(sample, [None] * 30 + age[30:].tolist(), quick).n == 30
    scarce = probe_factor(sample, [None] * 57 + age[57:].tolist(), quick)
    assert np.isnan(scarce.value) and scarce.n == 3


def test_correlations_equal_numpy_and_bear_missing_values():
    generator = np.random.default_rng(1)
    features, values = generator.normal(size=(40, 3)), generator.normal(size=40)
    expected = [np.corrcoef(column, values)[0, 1] for column in features.T]
    assert correlations(features, values) == pytest.approx(expected)
    features[:10, 0] = np.nan
    first = np.corrcoef(features[10:, 0], values[10:])[0, 1]
    assert correlations(features, values)[0] == pytest.approx(first)


def test_site_offsets_dilute_an_effect_and_their_removal_restores_it():
    sample, age = given(3.0)
    offsets = np.array([{"a": 0.0, "b": 15.0, "c": -15.0}[site] for site in SITES])
    before = sample.features + offsets[:, None]
    diluted = effect_bias(before, before, age, SITES, 1)
    restored = effect_bias(before, sample.features, age, SITES, 1)
    deleted = effect_bias(before, np.random.default_rng(9).normal(size=(60, 5)), age, SITES, 1)
    assert diluted < -0.5 and deleted < -0.5
    assert abs(restored) < 0.06


def _listed(pair):
    return pair[0], pair[1].tolist()
