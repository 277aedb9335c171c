"""Slices of one thickness made from slices of another, against anatomy sliced both ways."""

import numpy as np
import pytest

from ctharmony.harmonization.through_plane import (
    ThroughPlane,
    blend_slices,
    noise_factor,
    slice_weights,
)

KNOWN = ThroughPlane(anatomy_mm=6.0, noise_share=0.05)
FINE_MM = 0.1


@pytest.fixture(scope="module")
def anatomy() -> np.ndarray:
    """(places, columns): columns of steps, as of ribs, along a fine z axis; SD about 200 HU."""
    random = np.random.default_rng(0)
    steps = random.normal(0, 200, (30_000, 60))
    kept = random.random(steps.shape) < FINE_MM / 6.0
    order = np.maximum.accumulate(np.where(kept, np.arange(len(steps))[:, None], 0), axis=0)
    return np.take_along_axis(steps, order, axis=0)


def sliced(anatomy: np.ndarray, thickness: float, spacing: float) -> np.ndarray:
    """Slices (n, 1, columns) that average `thickness` mm, `spacing` mm apart."""
    half, step = round(thickness / FINE_MM / 2), round(spacing / FINE_MM)
    centres = np.arange(200, len(anatomy) - 200, step)
    return np.stack([anatomy[c - half : c + half].mean(0) for c in centres])[:, None]


CASES = [
    (5.0, 3.0, 2.0, 0.68),
    (5.0, 3.0, 3.0, 0.90),
    (1.0, 5.0, 1.0, 0.05),
    (0.6, 5.0, 0.6, 0.06),
    (2.0, 3.0, 2.0, 0.90),
]


@pytest.mark.parametrize(("source", "target", "spacing", "left"), CASES)
def test_slices_come_closer_to_the_other_thickness(anatomy, source, target, spacing, left):
    seen, wanted = (sliced(anatomy, thickness, spacing) for thickness in (source, target))
    made = blend_slices(seen, slice_weights(source, target, spacing, KNOWN))
    inner = slice(8, -8)
    before, after = (np.std((image - wanted)[inner]) for image in (seen, made))
    assert after < left * before


def test_no_three_tap_blend_does_better(anatomy):
    seen, wanted = sliced(anatomy, 5.0, 2.0), sliced(anatomy, 3.0, 2.0)
    inner = slice(8, -8)
    made = blend_slices(seen, slice_weights(5.0, 3.0, 2.0, KNOWN))
    ours = np.std((made - wanted)[inner])
    for share in np.linspace(-0.4, 0.1, 26):
        weights = np.array([share, 1 - 2 * share, share])
        assert ours < np.std((blend_slices(seen, weights) - wanted)[inner])


def test_hu_are_kept_and_equal_slices_left_alone():
    for pair in ((5.0, 3.0), (1.0, 4.0)):
        assert slice_weights(*pair, 2.0, KNOWN).sum() == pytest.approx(1.0)
    hu = np.random.default_rng(1).normal(size=(5, 2, 2)).astype(np.float32)
    for thickness in (np.nan, 3.02):
        assert blend_slices(hu, slice_weights(3.0, thickness, 2.0, KNOWN)) is hu


@pytest.mark.parametrize(("source", "target", "spacing"), [(5.0, 3.0, 2.0), (1.0, 5.0, 1.0)])
def test_noise_changes_by_the_factor(source, target, spacing):
    white = np.random.default_rng(2).normal(0, 100, (40_000, 40))
    noise = sliced(white, source, spacing)
    weights = slice_weights(source, target, spacing, KNOWN)
    factor = noise_factor(weights, spacing, source)
    assert blend_slices(noise, weights).std() / noise.std() == pytest.approx(factor, rel=0.03)
