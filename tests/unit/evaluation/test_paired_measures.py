"""Paired measures on a small thorax whose differences are put there on purpose."""

import numpy as np
import pytest

from ctharmony.evaluation.image_features import (
    ImageFeatureSettings,
    bands,
    image_features,
    spectral_distance,
)
from ctharmony.evaluation.paired import PairedSettings, paired_measures, prepare_truth
from ctharmony.quality.noise import FREQUENCIES, NoiseSettings

SPACING = (3.0, 1.0, 1.0)
NOISE = NoiseSettings((-20.0, 130.0), 6.0, 20.0, 40.0, 1.25, 6, 120, 0.75)
TISSUES = {"lung": (-1000.0, -600.0), "soft_tissue": (10.0, 90.0), "bone": (200.0, 1500.0)}
HOW = PairedSettings(2000.0, 7, TISSUES, 2.0, 0.45, NOISE)
SHAPE = (6, 130, 150)


@pytest.fixture(scope="module")
def thorax() -> tuple[np.ndarray, np.ndarray]:
    """Noise-free HU and labels: soft tissue with two lungs and a vertebra."""
    y, x = np.mgrid[-1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    clean, labels = np.full(SHAPE, -1000, np.float32), np.zeros(SHAPE, np.uint8)
    body, lung = x**2 + y**2 < 0.85, ((abs(x) - 0.5) / 0.2) ** 2 + (y / 0.4) ** 2 < 1
    clean[:, body], labels[:, body] = 50, 1
    clean[:, lung], labels[:, lung] = -850, 2
    clean[:, (x**2 + (y + 0.6) ** 2) < 0.02] = 500
    return clean, labels


def noise(sd: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sd, SHAPE).astype(np.float32)


def measured(image: np.ndarray, thorax, sd: float = 20.0) -> dict[str, float]:
    clean, labels = thorax
    truth = prepare_truth(clean + noise(sd, 1), clean, labels, SPACING, HOW)
    box = np.ix_(*[np.flatnonzero(labels.any(axis=a)) for a in ((1, 2), (0, 2), (0, 1))])
    return paired_measures(image[box], truth, HOW)


def test_an_independent_repeat_differs_by_noise_alone(thorax):
    found = measured(thorax[0] + noise(20, 2), thorax)
    assert found["paired_rmse_hu"] == pytest.approx(20 * np.sqrt(2), rel=0.02)
    assert found["clean_mae_hu"] == pytest.approx(20 * np.sqrt(2 / np.pi), rel=0.02)
    assert found["noise_sd_ratio"] == pytest.approx(1, abs=0.03)
    assert found["nps_distance"] < 0.25
    assert found["tissue_shift_hu"] < 0.5
    assert abs(found["perc15_bias_hu"]) <= 2


def test_hu_offset_shows_as_tissue_shift_and_lung_density_bias(thorax):
    found = measured(thorax[0] + noise(20, 2) - 12, thorax)
    for tissue in TISSUES:
        assert found[f"tissue_shift_hu_{tissue}"] == pytest.approx(-12, abs=2)
    assert found["tissue_shift_hu"] == pytest.approx(12, abs=1)
    assert found["perc15_bias_hu"] == pytest.approx(-12, abs=2)


def test_doubled_noise_shows_as_ratio_spectrum_and_false_emphysema(thorax):
    found = measured(thorax[0] + noise(60, 2), thorax, sd=30)
    assert found["noise_sd_ratio"] == pytest.approx(2, rel=0.03)
    # twice the amplitude is four times the power: ln 4 in every band
    assert found["nps_distance"] == pytest.approx(np.log(4), abs=0.15)
    # voxels of -850 HU fall below -950 HU with probability Phi(-100 / sd)
    assert found["laa950_bias_points"] == pytest.approx(100 * (0.0478 - 0.0004), abs=0.4)


def test_without_a_noise_free_truth_tissues_come_from_the_smoothed_one(thorax):
    clean, labels = thorax
    truth = prepare_truth(clean + noise(20, 1), None, labels, SPACING, HOW)
    found = paired_measures(truth.target + 8, truth, HOW)
    assert "clean_mae_hu" not in found
    assert found["tissue_shift_hu"] == pytest.approx(8, abs=1e-3)
    assert found["paired_mae_hu"] == pytest.approx(8, abs=1e-3)


def test_shapes_that_differ_are_refused(thorax):
    clean, labels = thorax
    with pytest.raises(ValueError, match="shape"):
        prepare_truth(clean[1:], clean, labels, SPACING, HOW)
    with pytest.raises(ValueError, match="empty"):
        prepare_truth(clean, None, np.zeros_like(labels), SPACING, HOW)
    truth = prepare_truth(clean, None, labels, SPACING, HOW)
    with pytest.raises(ValueError, match="shape"):
        paired_measures(clean[:2], truth, HOW)


def test_spectral_distance_in_nats():
    curve = np.linspace(10, 1, len(FREQUENCIES))
    assert spectral_distance(curve, curve, 0.5) == 0
    assert spectral_distance(2 * curve, curve, 0.5) == pytest.approx(np.log(2))
    assert np.isnan(spectral_distance(np.full(40, np.nan), curve, 0.5))


def test_image_features_follow_noise_and_grey_values(thorax):
    clean, labels = thorax
    how = ImageFeatureSettings(NOISE, (0.1, 0.2, 0.3, 0.4))
    calm = image_features(clean + noise(10, 3), labels, SPACING, how)
    loud = image_features(clean + noise(20, 3), labels, SPACING, how)
    assert calm["image_noise_sd"] == pytest.approx(10, rel=0.05)
    assert calm["image_body_q50"] == pytest.approx(50, abs=1)
    assert calm["image_lung_q50"] == pytest.approx(-850, abs=1)
    for band in range(3):
        gap = loud[f"image_nps_{band}"] - calm[f"image_nps_{band}"]
        assert gap == pytest.approx(np.log(4), abs=0.1)


def test_a_scan_without_lung_has_missing_values(thorax):
    clean, labels = thorax
    how = ImageFeatureSettings(NOISE, (0.1, 0.2))
    found = image_features(clean + noise(10, 3), np.minimum(labels, 1), SPACING, how)
    assert np.isnan(found["image_lung_q50"]) and np.isnan(found["image_lung_0"])
    assert np.isfinite(found["image_body_q50"])


def test_bands_beyond_nyquist_are_missing():
    curve = np.where(np.less(FREQUENCIES, 0.5), 4.0, np.nan)
    found = bands(curve, (0.0, 0.25, 0.5, 1.0), "x")
    assert found["x_0"] == found["x_1"] == pytest.approx(np.log(4))
    assert np.isnan(found["x_2"])
