"""A scan on another grid, interpolated once."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

OUTSIDE_HU = -1024.0


@dataclass(frozen=True)
class Grid:
    """A voxel grid: shape (slices, rows, columns) and (4, 4) voxel (x, y, z) to world RAS mm."""

    shape: tuple[int, int, int]
    affine: np.ndarray


def isotropic_grid(shape: tuple[int, int, int], affine: np.ndarray, step_mm: float) -> Grid:
    """The axis-aligned grid of cubic voxels that fills the box of an axis-aligned scan."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    extent = spacing * np.array(shape[::-1])
    counts = np.maximum(1, np.floor(extent / step_mm + 1e-6)).astype(int)
    corner = affine[:3, 3] + affine[:3, :3] @ (np.array(shape[::-1]) - 1.0) / 2
    new = np.diag([step_mm, step_mm, step_mm, 1.0])
    new[:3, 3] = corner - step_mm * (counts - 1) / 2
    return Grid(tuple(int(n) for n in counts[::-1]), new)


def resample(
    volume: np.ndarray,
    affine: np.ndarray,
    transform: np.ndarray,
    grid: Grid,
    order: int,
    outside: float = OUTSIDE_HU,
) -> np.ndarray:
    """The moving scan as seen on `grid` of the fixed space.

    Args:
        volume: (slices, rows, columns) HU, or labels with order 0.
        affine: (4, 4) of the volume, mm.
        transform: (4, 4) world map of fixed points to moving points, mm.
        grid: where to sample.
        order: 0 nearest, 1 linear, 3 cubic spline.
        outside: value where the volume has no voxel (its outer half voxel still counts as in it).

    Returns:
        grid.shape float32.
    """
    to_voxel = np.linalg.inv(affine) @ transform @ grid.affine
    matrix, offset = to_voxel[2::-1, 2::-1], to_voxel[2::-1, 3]  # as (z, y, x)
    values = ndimage.affine_transform(
        np.asarray(volume, dtype=np.float32),
        matrix,
        offset,
        output_shape=grid.shape,
        output=np.float32,
        order=order,
        mode="nearest",
    )
    values[~_reached(matrix, offset, volume.shape, grid.shape)] = outside
    return values


def resample_at(
    volume: np.ndarray,
    affine: np.ndarray,
    places: np.ndarray,
    order: int,
    outside: float = OUTSIDE_HU,
) -> np.ndarray:
    """The moving scan at `places` (3, z, y, x) in world mm (x, y, z), interpolated once.

    Orders and `outside` as for `resample`; for maps that are no matrix.
    """
    to_voxel = np.linalg.inv(affine).astype(np.float32)
    voxels = np.tensordot(to_voxel[:3, :3], places, 1) + to_voxel[:3, 3].reshape(3, 1, 1, 1)
    source = np.asarray(volume, dtype=np.float32)
    values = ndimage.map_coordinates(
        source, voxels[::-1], output=np.float32, order=order, mode="nearest"
    )
    for place, size in zip(voxels[::-1], volume.shape, strict=True):
        values[(place < -0.5) | (place > size - 0.5)] = outside
    return values


def _reached(
    matrix: np.ndarray, offset: np.ndarray, source: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """Which voxels of the new grid lie in the source's box, (z, y, x) bool."""
    z, y, x = (np.arange(size, dtype=np.float32) for size in shape)
    inside = np.ones(shape, dtype=bool)
    for row, size in enumerate(source):
        a, b, c = matrix[row].astype(np.float32)
        plane = (a * z + np.float32(offset[row]))[:, None] + b * y
        place = plane[:, :, None] + c * x
        inside &= (place >= -0.5) & (place <= size - 0.5)
    return inside
