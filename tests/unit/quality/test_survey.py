import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ctharmony.quality.histogram import BIN_HU, CENTRES_HU
from ctharmony.quality.survey import SurveySettings, divergences, outliers, permuted, robust_z

HOW = SurveySettings(("noise_sd_hu", "mtf50_per_mm"), 5.0, 5, 199)


def scans(noise, site="north", **more) -> pd.DataFrame:
    rows = pd.DataFrame({"noise_sd_hu": noise, "mtf50_per_mm": 0.4, "status": "ok", **more})
    return rows.assign(site=site, scan=[f"{site}{k}" for k in range(len(rows))])


def bell(mean_hu, subjects, site, seed=0, spread_hu=2.0) -> pd.DataFrame:
    """Histograms of normal grey values whose mean varies a little between subjects."""
    random = np.random.default_rng([seed, *site.encode()])
    rows = [
        norm.pdf(CENTRES_HU, mean_hu + random.normal(scale=spread_hu), 100) * BIN_HU
        for _ in subjects
    ]
    index = [(site, subject, f"{site}-{subject}") for subject in subjects]
    names = ["site", "subject", "scan"]
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(index, names=names), CENTRES_HU)


def test_robust_z_of_a_normal_sample_is_its_z():
    values = np.random.default_rng(0).normal(12, 3, 20000)
    np.testing.assert_allclose(robust_z(values), (values - 12) / 3, atol=0.12)
    assert robust_z(np.array([1.0, 1, 1, 9])).tolist() == [0, 0, 0, 0]
    assert np.isnan(robust_z(np.array([1.0, np.nan, 2]))).tolist() == [False, True, False]


def test_a_scan_unlike_its_site_is_flagged_and_says_in_what():
    table = pd.concat([scans([10, 11, 12, 10.5, 11.5, 60]), scans([60, 61, 62, 60.5, 61], "south")])
    found = outliers(table, HOW).set_index("scan")
    assert found.index[found["outlier"]].tolist() == ["north5"]
    row = found.loc["north5"]
    assert (row["measure"], row["value"]) == ("noise_sd_hu", 60)
    assert "noise SD is 60 HU where its site's median is 11.25 HU" in row["reason"]
    assert (found.loc[~found["outlier"], "reason"] == "").all()


def test_few_or_unusable_scans_give_no_outlier():
    few = outliers(scans([10, 11, 12, 500]), HOW)
    assert not few["outlier"].any()
    assert few["robust_z"].isna().all()
    aside = scans([10, 11, 12, 10.5, 11.5, np.nan]).assign(status=["ok"] * 5 + ["set_aside"])
    assert len(outliers(aside, HOW)) == 5


def test_divergences_of_shifted_sites_have_their_size_and_a_small_p():
    north = bell(0, [f"a{k}" for k in range(8)], "north")
    south = bell(40, [f"b{k}" for k in range(8)], "south")
    row = divergences(pd.concat([north, south]), HOW, 1).iloc[0]
    assert row["wasserstein_hu"] == pytest.approx(40, abs=3)
    # Jensen-Shannon divergence of two normals of one width d apart is about (d / sd)^2 / 8
    assert row["js_nats"] == pytest.approx(0.4**2 / 8, rel=0.15)
    assert row["js_p"] == row["wasserstein_p"] == pytest.approx(1 / 200)
    assert (row["subjects_a"], row["subjects_b"]) == (8, 8)


def test_p_values_of_alike_sites_are_spread_evenly():
    p = []
    for seed in range(40):
        north = bell(0, [f"a{k}" for k in range(6)], "north", seed, 20)
        south = bell(0, [f"b{k}" for k in range(6)], "south", seed, 20)
        how = SurveySettings((), 5.0, 5, 59)
        p.append(divergences(pd.concat([north, south]), how, seed)["wasserstein_p"][0])
    assert 0.3 < np.mean(p) < 0.7
    assert np.mean(np.array(p) < 0.1) < 0.25


def test_subjects_are_permuted_not_scans():
    sides = np.array([0, 0, 0, 1, 1, 1])
    people = np.array(["a", "b", "c", "a", "d", "e"])
    labels = np.array(permuted(sides, people, 200, 3))
    # a was seen on both sides: the two change places or stay; the others are dealt two and two
    assert (labels[:, 0] + labels[:, 3] == 1).all()
    assert 60 < (labels[:, 0] == 1).sum() < 140
    assert (labels[:, [1, 2, 4, 5]].sum(axis=1) == 2).all()
    assert len(np.unique(labels[:, [1, 2, 4, 5]], axis=0)) == 6


def test_other_sites_do_not_move_a_pairs_p_value_and_lone_subjects_have_none():
    sites = [bell(5 * k, [f"{k}{j}" for j in range(4)], "s" * (k + 1)) for k in range(3)]
    both, all_three = (divergences(pd.concat(part), HOW, 1) for part in (sites[:2], sites))
    pd.testing.assert_series_equal(both.iloc[0], all_three.iloc[0])
    lone = divergences(pd.concat([sites[0], bell(9, ["x"], "lone")]), HOW, 1).iloc[0]
    assert np.isnan(lone["js_p"])
    assert lone["js_nats"] > 0
    assert divergences(sites[0], HOW, 1).empty
