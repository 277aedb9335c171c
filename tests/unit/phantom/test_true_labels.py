"""The label map that comes with every virtual scan lies where the image shows it."""

import numpy as np
import pytest

from ctharmony.phantom.tissues import LABELS
from virtual_study import SMALL, make_study, scan_row

HU = {"lung": (-960, -700), "fat": (-140, -60), "soft_tissue": (20, 90), "bone": (120, 900)}


@pytest.fixture(scope="module")
def scan(scanners):
    fine = {**SMALL, "object_pixel_mm": 0.8, "detector_pitch_mm": 0.8, "views": 200}
    fine |= {"matrix": 160, "object_slice_mm": 1.25}
    return make_study(scanners, "alpine", fine).scan(scan_row("alpine", "travel-01"))


def inner(region: np.ndarray) -> np.ndarray:
    """Voxels whose neighbours in the slice belong to the region as well."""
    kept = region.copy()
    for axis in (1, 2):
        kept &= np.roll(region, 1, axis) & np.roll(region, -1, axis)
    return kept


@pytest.mark.parametrize("tissue", HU)
def test_tissues_have_their_hu_where_labels_say(scan, tissue):
    assert scan.labels.shape == scan.clean.shape and scan.labels.dtype == np.uint8
    region = inner(scan.labels == LABELS[tissue])
    low, high = HU[tissue]
    assert region.sum() > 50 and low < np.median(scan.clean[region]) < high


@pytest.mark.parametrize("axis", [1, 2])
def test_they_lie_within_half_a_pixel(scan, axis):
    """Shifted labels fit worse than those that were given, and equally so both ways."""
    air = scan.labels == LABELS["outside"]

    def misfit(shift: int) -> float:
        shown = scan.clean < -500
        shown &= ~np.isin(scan.labels, [LABELS[name] for name in ("lung", "hole", "airway")])
        return float((np.roll(air, shift, axis) != shown).mean())

    assert misfit(0) < 0.35 * min(misfit(-1), misfit(1))
    assert misfit(-1) == pytest.approx(misfit(1), rel=0.4)


def test_beyond_the_patients_grid_lies_nothing(scanners):
    wide = {**SMALL, "field_of_view_mm": 500.0}
    labels = make_study(scanners, "alpine", wide).scan(scan_row("alpine", "alpine-01")).labels
    assert (labels[:, [0, -1]] == LABELS["outside"]).all() and labels.any()


def test_a_tilted_gantry_has_upright_labels(scanners):
    tilted = {**scanners, "alpine": {**scanners["alpine"], "tilt_degrees": 10.0}}
    row = scan_row("alpine", "alpine-01")
    found = make_study(tilted, "alpine").scan(row)
    assert found.clean is None
    assert np.array_equal(found.labels, make_study(scanners, "alpine").scan(row).labels)
