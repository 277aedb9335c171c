import dataclasses

import numpy as np
import pytest

from ctharmony.quality.measure import QualitySettings, analyse, truncated_fraction
from ctharmony.quality.noise import FREQUENCIES


def test_a_known_chest_is_measured(chest, how):
    labels, row, _ = analyse(chest["hu"], chest["spacing"], how)
    assert labels.shape == chest["hu"].shape
    assert row["air_mode_hu"] == pytest.approx(-1000, abs=3)
    assert row["lung_mode_hu"] == pytest.approx(-850, abs=2)
    assert row["fat_mode_hu"] == pytest.approx(-100, abs=3)
    assert row["soft_tissue_mode_hu"] == pytest.approx(50, abs=2)
    assert row["noise_sd_hu"] == pytest.approx(15, rel=0.05)
    volume_ml = chest["body"].sum() * 3 / 1000
    assert row["body_volume_ml"] == pytest.approx(volume_ml, rel=0.02)
    assert row["lung_volume_ml"] == pytest.approx(chest["lungs"].sum() * 3 / 1000, rel=0.02)
    assert row["laa950_percent"] < 0.5
    assert row["perc15_hu"] == pytest.approx(-850 - 1.036 * 15, abs=4)
    assert row["truncated_fraction"] == 0
    assert row["body_coverage"] == pytest.approx(chest["body"].mean(), rel=0.02)
    assert row["table_present"] == 1
    for tissue, expected in how.expected_hu.items():
        offset = row[f"{tissue}_mode_hu"] - expected
        assert row[f"{tissue}_offset_hu"] == pytest.approx(offset)
    assert abs(row["soft_tissue_offset_hu"]) < 2


def test_curves_lie_on_the_fixed_grids(chest, how):
    _, _, curves = analyse(chest["hu"], chest["spacing"], how)
    assert list(curves.columns) == ["curve", "x", "y"]
    assert curves["curve"].unique().tolist() == ["histogram", "nps", "spectrum", "lung", "mtf"]
    for name in ("nps", "spectrum", "lung", "mtf"):
        part = curves[curves["curve"] == name]
        np.testing.assert_allclose(part["x"], FREQUENCIES)
        assert part["y"][part["x"] > 0.5].isna().all()
        assert part["y"][part["x"] < 0.5].notna().all()
    assert curves[curves["curve"] == "histogram"]["y"].sum() == pytest.approx(1)


def test_integer_and_float_volumes_measure_alike(chest, how):
    _, whole, _ = analyse(chest["hu"], chest["spacing"], how)
    _, real, _ = analyse(chest["hu"].astype(np.float32), chest["spacing"], how)
    for name, value in whole.items():
        assert real[name] == pytest.approx(value, rel=1e-4, nan_ok=True), name


def test_a_scan_without_tissue_or_lung_gives_nan_not_an_error(how):
    rng = np.random.default_rng(0)
    water = np.full((5, 64, 64), -1000.0)
    water[:, 16:48, 16:48] = 0
    _, row, _ = analyse(water + rng.normal(scale=5, size=water.shape), (3.0, 1.0, 1.0), how)
    assert row["lung_volume_ml"] == 0
    for name in ("laa950_percent", "perc15_hu", "lung_mode_hu", "fat_mode_hu"):
        assert np.isnan(row[name]), name


def test_truncation_is_the_share_of_the_border_that_the_body_touches(chest, how):
    body = np.zeros((4, 20, 20), dtype=bool)
    body[:, :5, 5:15] = True
    assert truncated_fraction(body) == pytest.approx(10 / 80)
    cut = np.ascontiguousarray(chest["hu"][:, :, 60:260])  # both flanks lie outside the picture
    _, row, _ = analyse(cut, chest["spacing"], how)
    truth = chest["body"][:, :, 60:260]
    assert row["truncated_fraction"] == pytest.approx(truncated_fraction(truth), abs=0.02)
    assert row["truncated_fraction"] > 0.1
    assert row["lung_volume_ml"] > 0


def test_unknown_or_missing_settings_are_named(how):
    block = dataclasses.asdict(how)
    with pytest.raises(TypeError, match="colour"):
        QualitySettings.from_config({**block, "colour": 1})
    del block["masks"]["coarse_mm"]
    with pytest.raises(TypeError, match="coarse_mm"):
        QualitySettings.from_config(block)


def measured(hu, spacing, how):
    return analyse(hu, spacing, how)[1]


def test_a_table_is_told_from_arms_and_from_nothing(chest, how):
    without = chest["hu"].copy()
    rows = np.arange(256) - 128
    without[:, np.abs(rows + 110) < 8] = -1000
    assert measured(without, chest["spacing"], how)["table_present"] == 0
    arms = without.copy()
    arms[:, 120:160, 2:16] = arms[:, 120:160, -16:-2] = 40
    assert measured(arms, chest["spacing"], how)["table_present"] == 0


def test_a_calibration_error_shows_as_offset(chest, how):
    row, shifted = (measured(hu, chest["spacing"], how) for hu in (chest["hu"], chest["hu"] + 9))
    for tissue in ("fat", "soft_tissue"):
        error = shifted[f"{tissue}_offset_hu"] - row[f"{tissue}_offset_hu"]
        assert error == pytest.approx(9, abs=0.5)
