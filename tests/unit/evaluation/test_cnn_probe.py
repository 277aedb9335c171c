"""The network probe: a planted texture is found, nothing is invented, and no pixel size shows."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ctharmony.evaluation.cnn_probe import CnnSettings, cnn_probe, patch_sample, train_probes
from ctharmony.evaluation.patches import PatchSettings, body_patches

PATCHES = PatchSettings(pixel_mm=1.0, pixels=16, smoothing_mm=0.6, per_scan=6)
HOW = CnnSettings(
    PATCHES, folds=2, steps=40, batch=32, width=8, learning_rate=0.005,
    evidence_edges_per_mm=(0.05, 0.2, 0.5),
)  # fmt: skip
SUBJECTS = [f"s{index:02d}" for index in range(20)]
LABELS = ["a", "b"] * 10


def patient(seed: int, width: float) -> np.ndarray:
    """(6, 16, 16) HU: fat or muscle with a soft edge and noise of SD 12 HU of one grain."""
    generator = np.random.default_rng(seed)
    tissue = gaussian_filter(generator.choice([-100.0, 50.0], (6, 2, 2)), (0, 1, 1))
    noise = generator.normal(size=(6, 16, 16))
    noise = gaussian_filter(noise, (0, width, width)) if width else noise
    return np.kron(tissue, np.ones((1, 8, 8))) + 12 * noise / noise.std()


def probed(grain: dict[str, float], quick, seed: int = 0):
    found = [patient(100 * seed + i, grain[name]) for i, name in enumerate(LABELS)]
    sample = patch_sample(found, SUBJECTS, LABELS)
    return cnn_probe(sample, train_probes(sample, HOW, quick), quick)


def test_a_planted_texture_is_found(quick):
    found = probed({"a": 0.0, "b": 1.2}, quick)
    assert found.auc.value > 0.9 and found.p_value < 0.05
    assert found.auc.n == len(SUBJECTS)
    assert found.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_where_there_is_none_none_is_invented(quick):
    found = [probed({"a": 0.6, "b": 0.6}, quick, seed).auc.value for seed in range(1, 7)]
    assert abs(np.mean(found) - 0.5) < 0.15


def test_the_same_seed_gives_the_same_answer(quick):
    first, second = (probed({"a": 0.0, "b": 0.5}, quick) for _ in range(2))
    assert np.array_equal(first.probabilities, second.probabilities)


def test_too_few_subjects_are_refused(quick):
    sample = patch_sample([patient(i, 0.0) for i in range(2)], ["p", "q"], ["a", "b"])
    with pytest.raises(ValueError, match="cannot be answered"):
        train_probes(sample, HOW, quick)


def picture(pixel: float) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """The same smooth object of 90 mm on another pixel, in air with a bright table below."""
    count = round(120 / pixel)
    y, x = (np.mgrid[:count, :count] + 0.5) * pixel
    body = (x - 60) ** 2 + (y - 50) ** 2 < 45**2
    hu = np.where(body, 40 + 30 * np.sin(x / 6) * np.cos(y / 7), -1000.0)
    hu[y > 110] = 3000.0
    return (
        np.repeat(hu[None], 2, 0),
        np.repeat(body[None], 2, 0).astype(np.uint8),
        (3.0, pixel, pixel),
    )


@pytest.mark.parametrize("pixel", [0.6, 0.9])
def test_patches_hold_body_only_whatever_the_pixel(pixel):
    found = body_patches(*picture(pixel), PATCHES, "scan")
    assert found.shape == (6, 16, 16)
    assert found.min() > 5 and found.max() < 75


def test_places_depend_on_the_scan_alone():
    hu, labels, spacing = picture(0.9)
    first, other = (body_patches(hu, labels, spacing, PATCHES, name) for name in ("p", "q"))
    shifted = body_patches(hu + 10, labels, spacing, PATCHES, "p")
    assert not np.array_equal(first, other)
    assert np.abs(shifted - first - 10).max() < 0.1


def test_a_body_smaller_than_a_patch_gives_none():
    hu, labels, spacing = picture(0.9)
    labels[:] = 0
    labels[:, 60:66, 60:66] = 1
    assert len(body_patches(hu, labels, spacing, PATCHES, "p")) == 0
    assert len(body_patches(hu, 0 * labels, spacing, replace(PATCHES, per_scan=2), "p")) == 0
