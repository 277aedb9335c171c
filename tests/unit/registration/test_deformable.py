"""Deformation: known warps are found, nothing folds, and the way back exists."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctharmony.registration.deformable import (
    DeformableSettings,
    correlation_force,
    deform,
)
from ctharmony.registration.displacement import Displacement, smooth, unfolded
from ctharmony.registration.pyramid import Image, build_levels
from ctharmony.registration.resampling import Grid, resample_at

SPACING, SHAPE = (4.0, 4.0, 4.0), (56, 62, 86)


@pytest.fixture(scope="module")
def how(block) -> DeformableSettings:
    return DeformableSettings.from_config(block["deformable"])


@pytest.fixture(scope="module")
def chest(make_scan, make_organs) -> Image:
    return make_scan(make_organs(1), SPACING, SHAPE, seed=1)


@pytest.fixture(scope="module")
def truth(chest) -> Displacement:
    """A smooth warp of up to 10 mm."""
    random = np.random.default_rng(0)
    parts = [ndimage.gaussian_filter(random.normal(size=SHAPE), 9.0) for _ in range(3)]
    vectors = np.stack(parts)
    vectors *= 10 / np.sqrt((vectors**2).sum(axis=0)).max()
    return Displacement(vectors.astype(np.float32), Grid(SHAPE, chest.affine))


@pytest.fixture(scope="module")
def found(chest, truth, how, settings) -> Displacement:
    places = truth.inverse().places(np.eye(4))
    moved = resample_at(chest.hu, chest.affine, places, 3)
    noise = np.random.default_rng(1).normal(0, 15, SHAPE).astype(np.float32)
    levels = settings.at(how.levels_mm)
    moving = replace(chest, hu=moved + noise)
    return deform(build_levels(chest, levels), build_levels(moving, levels), np.eye(4), how)


@pytest.fixture(scope="module")
def points(chest) -> np.ndarray:
    """Places in the body where something can be seen to move."""
    slope = np.sqrt(sum(step**2 for step in np.gradient(ndimage.gaussian_filter(chest.hu, 1.0))))
    voxels = np.argwhere((chest.mask > 0) & (slope > 60))[::97, ::-1]
    return voxels @ chest.affine[:3, :3].T + chest.affine[:3, 3]


def test_a_known_warp_is_found(found, truth, points):
    before = np.linalg.norm(truth.at(points) - points, axis=1)
    after = np.linalg.norm(truth.at(points) - found.at(points), axis=1)
    assert np.median(after) < 0.35 * np.median(before)
    assert np.median(after) < 1.0


def test_nothing_folds(found):
    assert found.jacobian().min() > 0


def test_the_way_back_leads_back(found, points):
    inner = points[np.abs(points).max(axis=1) < 90]
    there = found.inverse().at(found.at(inner))
    assert np.linalg.norm(there - inner, axis=1).max() < 0.2


def test_a_fold_is_smoothed_away(chest):
    vectors = np.zeros((3, *SHAPE), dtype=np.float32)
    vectors[0, :, :, 40:46] = 14.0
    torn = Displacement(vectors, Grid(SHAPE, chest.affine))
    assert torn.jacobian().min() < 0 < unfolded(torn, 4.0).jacobian().min()


def test_an_affine_map_after_it_is_one_displacement(truth, points):
    matrix = np.diag([1.02, 0.97, 1.01, 1.0])
    matrix[:3, 3] = [3.0, -2.0, 5.0]
    inner = points[np.abs(points).max(axis=1) < 100]
    expected = truth.at(inner) @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(truth.after(matrix).at(inner), expected, atol=1e-3)


def test_force_is_the_slope_of_the_local_correlation(chest):
    grid = Grid(SHAPE, chest.affine)
    fixed = ndimage.gaussian_filter((chest.hu + 1000) / 1500, 1.5).astype(np.float32)
    warped = ndimage.shift(fixed, (0, 0, 0.5), order=1, mode="nearest")
    force = correlation_force(fixed, warped, grid, 16.0)
    # the warped scan shows what lies 2 mm to the left: looking further right makes it alike
    inside = np.abs(np.gradient(fixed)[2]) > 0.02
    assert (force[0][inside] > 0).mean() > 0.8


@pytest.mark.parametrize("shape", [(40, 36, 44), (41, 37, 45)])
def test_a_wide_gaussian_is_the_same_at_half_the_resolution(shape):
    block = np.zeros((3, *shape), np.float32)
    block[:, 20:22, 18:20, 22:24] = 1 / 8
    grid = Grid(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    exact = ndimage.gaussian_filter(block[0], 4.0, truncate=4.0)
    for part in smooth(block, 8.0, grid):
        assert part.sum() == pytest.approx(1.0, abs=1e-5)
        assert np.abs(part - exact).max() < 0.05 * exact.max()
    level = np.full((3, *shape), 3.0, np.float32)
    assert smooth(level, 8.0, grid) == pytest.approx(level, abs=1e-5)


def test_settings_name_what_is_wrong(block):
    given = block["deformable"]
    with pytest.raises(ValueError, match="window_mm"):
        DeformableSettings.from_config({k: v for k, v in given.items() if k != "window_mm"})
    with pytest.raises(ValueError, match="differ in length"):
        DeformableSettings.from_config(given | {"iterations": [3]})
