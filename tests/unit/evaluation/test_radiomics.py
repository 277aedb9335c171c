"""Radiomics against the values that the IBSI agreed on for its digital phantom."""

import numpy as np
import pytest

from ctharmony.evaluation.radiomics import (
    TEXTURES,
    RadiomicsSettings,
    discretised,
    first_order,
    radiomics,
    slice_textures,
)

# IBSI's digital phantom (CC BY 4.0), slices x rows x columns; 0 lies outside
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)
# reference values of the manual, 2D aggregation averaged over slices, three significant digits
AGREED = {
    "cm_joint_max": 0.519,
    "cm_joint_avg": 2.14,
    "cm_joint_var": 2.69,
    "cm_joint_entr": 2.05,
    "cm_diff_avg": 1.42,
    "cm_diff_var": 2.90,
    "cm_diff_entr": 1.40,
    "cm_sum_avg": 4.28,
    "cm_sum_var": 5.47,
    "cm_sum_entr": 1.60,
    "cm_energy": 0.368,
    "cm_contrast": 5.28,
    "cm_dissimilarity": 1.42,
    "cm_inv_diff": 0.678,
    "cm_inv_diff_norm": 0.851,
    "cm_inv_diff_mom": 0.619,
    "cm_inv_diff_mom_norm": 0.899,
    "cm_inv_var": 0.0567,
    "cm_corr": -0.0121,
    "cm_auto_corr": 5.09,
    "cm_clust_tend": 5.47,
    "cm_clust_shade": 7.00,
    "cm_clust_prom": 79.1,
    "cm_info_corr1": -0.155,
    "cm_info_corr2": 0.487,
    "rlm_sre": 0.641,
    "rlm_lre": 3.78,
    "rlm_glnu_norm": 0.460,
    "rlm_rlnu_norm": 0.492,
    "rlm_r_perc": 0.627,
    "rlm_gl_var": 3.35,
    "rlm_rl_var": 0.761,
    "rlm_rl_entr": 2.17,
    "ngt_coarseness": 0.121,
    "ngt_contrast": 0.925,
    "ngt_busyness": 2.99,
    "ngt_complexity": 10.4,
    "ngt_strength": 2.88,
}
HOW = RadiomicsSettings(
    slices=3,
    pixel_mm=1.5,
    bin_width_hu=25.0,
    ranges_hu={"body": (-200.0, 300.0), "lung": (-1000.0, -300.0)},
)


def test_phantom_is_the_agreed_one():
    values = PHANTOM[PHANTOM > 0].astype(float)
    found = first_order(values)
    expected = {
        "mean": 2.15, "var": 3.05, "skew": 1.08, "kurt": -0.355, "median": 1, "min": 1,
        "p10": 1, "p90": 4, "max": 6, "iqr": 3, "range": 5, "mad": 1.55, "rmad": 1.11, "rms": 2.77,
    }  # fmt: skip
    assert len(values) == 74
    assert found == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("name", AGREED)
def test_textures_have_the_agreed_values(name, textures):
    assert textures[name] == pytest.approx(AGREED[name], rel=6e-3)


@pytest.fixture(scope="module")
def textures() -> dict[str, float]:
    return slice_textures(PHANTOM.astype(np.uint32), (PHANTOM > 0).astype(np.uint32))[1]


def lungs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    hu, labels = np.full((4, 64, 64), -1000.0, np.float32), np.zeros((4, 64, 64), np.uint8)
    hu[:, 8:56, 8:56], labels[:, 8:56, 8:56] = 40, 1
    hu[:, 20:44, 14:50], labels[:, 20:44, 14:50] = -850, 2
    return hu + generator.normal(0, 15, hu.shape).astype(np.float32), labels


def test_features_of_a_scan_are_named_by_region_and_finite():
    found = radiomics(*lungs(), (2.0, 1.5, 1.5), HOW)
    assert {f"{region}_{name}" for region in ("body", "lung") for name in TEXTURES} <= set(found)
    assert np.isfinite(list(found.values())).all()
    assert found["lung_stat_mean"] == pytest.approx(-850, abs=2)
    assert found["lung_morph_volume_ml"] == pytest.approx(4 * 24 * 36 * 4.5 / 1000)


def test_a_scan_without_lung_has_missing_values_and_no_crash():
    hu, labels = lungs()
    found = radiomics(hu, np.minimum(labels, 1), (2.0, 1.5, 1.5), HOW)
    assert found["lung_morph_volume_ml"] == 0
    assert np.isnan(found["lung_stat_mean"]) and np.isnan(found["lung_cm_contrast"])
    assert np.isfinite(found["body_cm_contrast"])
    nothing = radiomics(hu, np.zeros_like(labels), (2.0, 1.5, 1.5), HOW)
    assert np.isnan(nothing["body_stat_mean"]) and np.isnan(nothing["body_cm_contrast"])


def test_bins_are_fixed_in_hu():
    levels = discretised(np.array([-1000.0, -976.0, -975.0, -300.0]), -1000.0, 25.0)
    assert levels.tolist() == [1, 1, 2, 29]


def test_noise_raises_contrast_texture():
    hu, labels = lungs()
    calm = radiomics(hu, labels, (2.0, 1.5, 1.5), HOW)
    more = np.random.default_rng(5).normal(0, 40, hu.shape).astype(np.float32)
    loud = radiomics(hu + more, labels, (2.0, 1.5, 1.5), HOW)
    assert loud["lung_cm_contrast"] > 3 * calm["lung_cm_contrast"]
