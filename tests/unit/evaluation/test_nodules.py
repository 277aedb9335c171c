"""Nodule volume: right for spheres, blind to vessels, moved by blur as a reader is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ctharmony.evaluation.nodules import AROUND, NODULE, nodule_reach, nodule_volume
from ctharmony.phantom.tissues import LABELS

SPACING, SHAPE, RADIUS = (1.0, 0.6, 0.6), (24, 60, 60), 5.0


@pytest.fixture
def tissues() -> np.ndarray:
    """A sphere in lung with a vessel running past it."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(SHAPE, SPACING, strict=True))
    labels = np.full(SHAPE, LABELS["lung"], np.uint8)
    labels[:, np.hypot(y[:, None] - 7, x[None] - 1) < 1.5] = LABELS["blood"]
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    labels[radius < RADIUS] = LABELS["nodule"]
    return labels


def shown(tissues: np.ndarray, blur: float = 0.0) -> np.ndarray:
    hu = np.where(np.isin(tissues, (LABELS["blood"], LABELS["nodule"])), 40.0, -860.0)
    return gaussian_filter(hu, blur) if blur else hu


def test_labels_are_those_of_the_virtual_patients():
    assert LABELS["nodule"] == NODULE
    assert {LABELS[name] for name in ("outside", "lung", "hole", "nodule")} == set(AROUND)


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_a_sphere_has_its_volume_and_the_vessel_none(tissues, blur):
    reach = nodule_reach(tissues, SPACING)
    assert not reach[tissues == LABELS["blood"]].any()
    found = nodule_volume(shown(tissues, blur), reach, SPACING)
    assert found == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.06)


def test_slices_above_and_below_are_looked_at(tissues):
    reach = nodule_reach(tissues, (5.0, 0.6, 0.6))
    sliced = np.flatnonzero((tissues == NODULE).any(axis=(1, 2)))
    assert reach[sliced[0] - 1].any() and reach[sliced[-1] + 1].any()
    assert not reach[sliced[0] - 2].any()


def test_small_nodules_vanish_in_a_thick_slice(tissues):
    tissues[:10], tissues[13:] = LABELS["lung"], LABELS["lung"]
    reach = nodule_reach(tissues, SPACING)
    blurred = gaussian_filter(shown(tissues), (3.0, 0, 0))
    assert nodule_volume(blurred, reach, SPACING) < 0.2 * nodule_volume(
        shown(tissues), reach, SPACING
    )


def test_no_nodule_no_volume():
    reach = nodule_reach(np.full(SHAPE, LABELS["lung"], np.uint8), SPACING)
    assert not reach.any()
    assert np.isnan(nodule_volume(np.zeros(SHAPE), reach, SPACING))
