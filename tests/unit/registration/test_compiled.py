"""The compiled passes do what the slower ways do."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ctharmony.registration import lines
from ctharmony.registration.engine import prepare_fixed
from ctharmony.registration.grids import MovingGrid, moving_grid
from ctharmony.registration.objective import align, from_matrix
from ctharmony.registration.pyramid import build_levels, foreground
from ctharmony.registration.sampling import FixedPoints
from ctharmony.registration.transforms import about, rotation


@pytest.mark.parametrize("normalized", [False, True])
def test_alignment_on_the_processor_equals_that_on_tensors(
    normalized, fixed_scan, make_scan, make_organs, settings
):
    fixed = prepare_fixed(fixed_scan, settings).points[1].thinned(4)
    grid = moving_grid(build_levels(make_scan(make_organs(1), seed=2), settings)[1], 24)
    turn = about(rotation(np.array([1.0, 2, 0]), 9.0), np.zeros(3), np.array([70.0, -3, 4]))
    maps = torch.stack([from_matrix(turn, fixed), from_matrix(np.eye(4), fixed)])
    compiled = align(fixed, grid, maps, normalized, True)
    double = FixedPoints(fixed.unit.double(), fixed.bins, fixed.frame, fixed.count)
    exact = MovingGrid(grid.flat.double(), grid.shape, grid.to_voxel, grid.field)
    tensors = align(double, exact, maps, normalized, True)
    for name in ("value", "overlap", "gradient", "curvature"):
        one, two = getattr(compiled, name).double(), getattr(tensors, name).double()
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3 * float(two.abs().max()))
    without = align(fixed, grid, maps, normalized, True, curved=False)
    assert without.curvature is None
    torch.testing.assert_close(without.gradient, compiled.gradient)


def test_dilation_reaches_as_far_as_asked_along_each_axis():
    flags = np.random.default_rng(0).random((17, 20, 23)) > 0.995
    for axis, reach in enumerate((0, 2, 5)):
        found, size = flags.copy(), [1, 1, 1]
        size[axis] = 2 * reach + 1
        lines.dilate(lines.along(found, axis), reach)
        np.testing.assert_array_equal(found, ndimage.maximum_filter(flags, size))


def test_smoothing_is_the_weighted_mean_of_neighbours():
    values = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    for axis in range(3):
        found = values.copy()
        lines.smooth(lines.along(found, axis), 0.125)
        expected = ndimage.correlate1d(values, [0.125, 0.75, 0.125], axis)
        inner = tuple(slice(1, -1) if k == axis else slice(None) for k in range(3))
        np.testing.assert_allclose(found[inner], expected[inner], atol=1e-6)
        np.testing.assert_array_equal(found.take([0, -1], axis), values.take([0, -1], axis))


def test_edges_of_a_slope_are_its_steepness():
    values = (3.0 * np.mgrid[:5, :6, :7][2]).astype(np.float32)
    inner = np.flatnonzero(np.pad(np.ones((3, 4, 5), bool), 1))
    found = lines.edge_strength(values, inner, np.array([1, 1, 2], np.float32))
    np.testing.assert_allclose(found, 1.5 * np.sqrt(2), rtol=1e-6)  # both neighbours count


def test_the_body_is_found_in_any_contrast(fixed_scan):
    body = fixed_scan.mask > 0
    for name, hu in {"plain": fixed_scan.hu, "inverted": -fixed_scan.hu}.items():
        found = foreground(hu)
        assert (found & ~body).sum() < 0.01 * body.sum(), name
        assert (found & body).sum() > 0.5 * body.sum(), name


def test_in_a_crop_within_the_body_the_bright_part_is_the_foreground(fixed_scan):
    crop = fixed_scan.hu[20:40, 20:60, 20:90]
    assert crop[foreground(crop)].mean() > crop[~foreground(crop)].mean()
