"""ComBat against its reference code, and the rule that nothing is learned from test scans."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.combat import ComBatOptions, fit_combat
from ctharmony.evaluation.feature_harmonizers import harmonizer
from ctharmony.evaluation.probes import Sample, probe

BATCHES = np.repeat(["1", "2"], 5)
COVARIATE = np.tile([1.0, 0.0], 5)[:, None]
REFERENCES = {
    "parametric_unadjusted_r": (ComBatOptions(), None),
    "parametric_unadjusted_python": (ComBatOptions(), None),
    "parametric_adjusted_r": (ComBatOptions(), COVARIATE),
    "parametric_adjusted_python": (ComBatOptions(), COVARIATE),
    "parametric_adjusted_meanonly_r": (ComBatOptions(mean_only=True), COVARIATE),
    "parametric_adjusted_batchref_r": (ComBatOptions(reference="1"), COVARIATE),
}


def shifted(scans: int = 60, features: int = 20) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    sites = np.array(["a", "b", "c"])[np.arange(scans) % 3]
    values = generator.normal(size=(scans, features))
    values *= np.array([{"a": 1.0, "b": 2.0, "c": 0.5}[site] for site in sites])[:, None]
    return values + np.array([{"a": 0, "b": 3, "c": -2}[site] for site in sites])[:, None], sites


@pytest.mark.real
@pytest.mark.parametrize("name", REFERENCES)
def test_reference_outputs_are_reproduced(name):
    if not os.environ.get("CTHARMONY_REAL_DATA"):
        pytest.skip("CTHARMONY_REAL_DATA names no folder")
    folder = Path(os.environ["CTHARMONY_REAL_DATA"]) / "tables" / "combat_reference"
    table = pd.read_csv(folder / "testdata.csv").to_numpy(dtype=float).T
    header = "infer" if name.endswith("_r") else None
    expected = pd.read_csv(folder / f"testdata_combat_{name}.csv", header=header).to_numpy().T
    options, covariates = REFERENCES[name]
    fitted = fit_combat(table, BATCHES, options, covariates)
    found = fitted.apply(table, BATCHES, covariates)
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("method", ["combat", "covbat"])
def test_batches_are_aligned_and_unseen_scans_with_them(method):
    values, sites = shifted(120)
    train, test = np.arange(120) < 90, np.arange(120) >= 90
    found = harmonizer(method)(values[train], values[test], sites[train], sites[test])
    for part, where in zip(found, (train, test), strict=True):
        means = [part[sites[where] == site].mean() for site in "abc"]
        spreads = [part[sites[where] == site].std() for site in "abc"]
        assert np.ptp(means) < 0.25
        assert max(spreads) / min(spreads) < 1.35


def test_covbat_aligns_covariances_that_combat_leaves():
    generator = np.random.default_rng(4)
    sites = np.repeat(["a", "b"], 200)
    values = generator.normal(size=(400, 6))
    values[sites == "b"] += 2 * generator.normal(size=(200, 1))

    def gap(table: np.ndarray) -> float:
        pair = [np.corrcoef(table[sites == site].T) for site in "ab"]
        return float(np.abs(pair[0] - pair[1]).mean())

    combat, covbat = (
        harmonizer(name)(values, values, sites, sites)[0] for name in ("combat", "covbat")
    )
    assert gap(combat) > 0.4
    assert gap(covbat) < 0.5 * gap(combat)


def test_test_scans_teach_nothing():
    values, sites = shifted()
    method = harmonizer("combat")
    train, _ = method(values[:40], values[40:], sites[:40], sites[40:])
    again, _ = method(values[:40], values[40:] + 100, sites[:40], sites[40:])
    assert np.array_equal(train, again)


def test_a_batch_never_fitted_and_flat_columns_pass_unchanged():
    values, sites = shifted()
    values[:, 0] = 7.0
    seen = sites != "c"
    _, test = harmonizer("combat")(values[seen], values, sites[seen], sites)
    assert np.array_equal(test[~seen], values[~seen])
    assert np.array_equal(test[:, 0], values[:, 0])
    assert not np.allclose(test[seen][:, 1:], values[seen][:, 1:])


def test_missing_values_take_training_medians():
    values, sites = shifted()
    values[3, 2] = values[45, 2] = np.nan
    train, test = harmonizer("combat")(values[:40], values[40:], sites[:40], sites[40:])
    assert np.isfinite(train).all() and np.isfinite(test).all()


def test_linear_probe_after_combat_falls_to_chance(quick):
    values, sites = shifted(90)
    subjects = np.array([f"s{index}" for index in range(90)])
    before = probe(Sample(values, subjects, sites), sites, "linear", quick)
    after = probe(Sample(values, subjects, sites, harmonizer("combat")), sites, "linear", quick)
    assert before.auc.value > 0.95
    assert after.auc.value < 0.65


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="two batches"):
        fit_combat(np.ones((4, 2)), np.array(["a"] * 4), ComBatOptions())
    with pytest.raises(ValueError, match="harmonizes no features"):
        harmonizer("magic")


def skewed(scans: int = 160) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two sites of equal mean and variance: one is Gaussian, one counts in few values."""
    generator = np.random.default_rng(8)
    sites = np.array(["a", "b"])[np.arange(scans) % 2]
    values = generator.normal(size=(scans, 4))
    counts = generator.integers(0, 4, (scans, 4))
    values[sites == "b"] = ((counts - 1.5) / np.sqrt(1.25))[sites == "b"]
    return values, sites, np.array([f"s{index}" for index in range(scans)])


def test_a_forest_sees_through_combat_and_not_through_quantiles(quick):
    values, sites, subjects = skewed()
    seen = {
        name: probe(Sample(values, subjects, sites, harmonizer(name)), sites, "forest", quick)
        for name in ("combat", "quantile")
    }
    assert seen["combat"].auc.value > 0.95
    assert seen["quantile"].auc.value < 0.65


def test_quantiles_keep_the_order_within_a_site():
    values, sites = shifted()
    train, _ = harmonizer("quantile")(values, values[:5], sites, sites[:5])
    for site in "abc":
        own = np.argsort(values[sites == site, 0])
        assert np.all(np.diff(train[sites == site, 0][own]) >= 0)


def test_quantiles_of_a_scan_do_not_depend_on_its_neighbours():
    values, sites = shifted()
    method = harmonizer("quantile")
    _, together = method(values[:40], values[40:], sites[:40], sites[40:])
    _, alone = method(values[:40], values[47:48], sites[:40], sites[47:48])
    assert np.array_equal(alone[0], together[7])
