"""One interpolation onto another grid, and the pictures made of it."""

import numpy as np
import pytest

from ctharmony.registration.pictures import EDGE_COLOUR, checkerboard, quality_picture
from ctharmony.registration.pyramid import pool, pooled_affine
from ctharmony.registration.resampling import Grid, isotropic_grid, resample
from ctharmony.registration.transforms import about, rotation


def ramp(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """A volume that is linear in world position: 2 x - y + 3 z."""
    z, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    world = np.stack([x, y, z], -1) @ affine[:3, :3].T + affine[:3, 3]
    return (world @ [2.0, -1.0, 3.0]).astype(np.float32)


@pytest.mark.parametrize("order", [1, 3])
def test_a_linear_volume_is_reproduced_exactly(order):
    affine = np.diag([1.5, 2.0, 4.0, 1.0])
    affine[:3, 3] = [-20, -30, -40]
    transform = about(rotation(np.array([1.0, 2, 3]), 10), np.zeros(3), np.array([1.0, -2, 0.5]))
    grid = Grid((6, 7, 8), np.diag([1.0, 1.0, 1.0, 1.0]))
    seen = resample(ramp((25, 40, 50), affine), affine, transform, grid, order)
    moved = grid.affine[:3, :3] @ np.array([5, 4, 3])
    expected = (transform[:3, :3] @ moved + transform[:3, 3]) @ [2.0, -1.0, 3.0]
    assert seen[3, 4, 5] == pytest.approx(expected, abs=1e-2)


def test_outside_is_air_and_the_outer_half_voxel_is_not():
    volume = np.full((3, 4, 5), 50.0, np.float32)
    grid = Grid((3, 4, 9), np.array([[1, 0, 0, -2.4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    seen = resample(volume, np.eye(4), np.eye(4), grid, 1)
    np.testing.assert_array_equal(seen[0, 0], [-1024, -1024, 50, 50, 50, 50, 50, -1024, -1024])


def test_nearest_keeps_labels():
    labels = np.random.default_rng(0).integers(0, 3, (6, 6, 6))
    grid = isotropic_grid((6, 6, 6), np.eye(4), 0.7)
    assert set(np.unique(resample(labels, np.eye(4), np.eye(4), grid, 0, 0.0))) <= {0, 1, 2}


def test_isotropic_grid_fills_the_same_box():
    affine = np.diag([0.7, 0.7, 5.0, 1.0])
    affine[:3, 3] = [-100, -90, 30]
    grid = isotropic_grid((30, 300, 320), affine, 2.0)
    old = affine[:3, :3] @ (np.array([320, 300, 30]) - 1) / 2 + affine[:3, 3]
    new = grid.affine[:3, :3] @ (np.array(grid.shape[::-1]) - 1) / 2 + grid.affine[:3, 3]
    np.testing.assert_allclose(new, old)
    np.testing.assert_allclose(np.array(grid.shape) * 2.0, [150, 210, 224], atol=2.0)


def test_pooling_keeps_means_and_places():
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    volume = ramp((9, 8, 12), affine)
    pooled, moved = pool(volume, [3, 2, 4]), pooled_affine(affine, [3, 2, 4])
    assert pooled.mean() == pytest.approx(volume.mean(), abs=1e-3)
    np.testing.assert_allclose(pooled, ramp((3, 4, 3), moved), atol=1e-3)
    assert pool(np.full((4, 4, 4), -3024.0), [2, 2, 2]).max() == -1024.0


def test_picture_shows_both_scans_and_the_edges_of_the_fixed_one():
    fixed = np.full((10, 40, 40), -1000.0)
    fixed[:, 10:30, 10:30] = 40.0
    picture = quality_picture(fixed, np.full(fixed.shape, 400.0), (4.0, 1.0, 1.0))
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert (picture == EDGE_COLOUR).all(axis=2).sum() > 50
    board = checkerboard(np.zeros((64, 64)), np.ones((64, 64)))
    assert board.mean() == 0.5 and board[0, 0] == 0 and board[0, 8] == 1
    with pytest.raises(ValueError, match="cannot be compared"):
        quality_picture(fixed, fixed[:5], (4.0, 1.0, 1.0))
