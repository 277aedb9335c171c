"""A displacement of points on a grid: where it leads, its inverse, and whether it folds."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ctharmony.registration.resampling import Grid

SMALLEST_JACOBIAN = 0.05
MENDS = 20
INVERSE_STEPS = 20
WIDE = 3.0  # voxels: Gaussians from here on are taken at half the resolution
POOLED_VARIANCE = 0.25 + 2 / 3  # voxels^2: of a mean over pairs and of linear interpolation back


@dataclass(frozen=True)
class Displacement:
    """Where the points of a grid go: x -> x + vectors(x), world RAS.

    Attributes:
        vectors: (3, z, y, x) float32, mm along x, y, z.
        grid: the grid they are given on; axis-aligned.
    """

    vectors: np.ndarray
    grid: Grid

    def at(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) in mm moved; linear between voxels, the border's beyond the grid."""
        to_voxel = np.linalg.inv(self.grid.affine)
        voxels = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        places = voxels.T[::-1]
        moves = [
            ndimage.map_coordinates(part, places, order=1, mode="nearest") for part in self.vectors
        ]
        return points + np.stack(moves, axis=1)

    def places(self, transform: np.ndarray) -> np.ndarray:
        """(3, z, y, x) world mm: where each voxel of the grid lies after `transform` (4, 4)."""
        axes = [np.arange(size, dtype=np.float32) for size in self.grid.shape[::-1]]
        world = [
            float(self.grid.affine[axis, axis]) * along + float(self.grid.affine[axis, 3])
            for axis, along in enumerate(axes)
        ]
        spread = [world[0][None, None, :], world[1][None, :, None], world[2][:, None, None]]
        moved = np.stack([part + axis for part, axis in zip(self.vectors, spread, strict=True)])
        matrix = transform.astype(np.float32)
        return np.tensordot(matrix[:3, :3], moved, 1) + matrix[:3, 3].reshape(3, 1, 1, 1)

    def after(self, transform: np.ndarray) -> "Displacement":
        """The displacement that does both: x -> transform(x + vectors(x))."""
        still = Displacement(np.zeros_like(self.vectors), self.grid).places(np.eye(4))
        return Displacement(self.places(transform) - still, self.grid)

    def jacobian(self) -> np.ndarray:
        """Determinant of the map's derivative, (z, y, x); above 0 where nothing folds."""
        spacing = np.diag(self.grid.affine)[:3].astype(np.float32)
        x, y, z = (
            [slope / step for slope, step in zip(np.gradient(part)[::-1], spacing, strict=True)]
            for part in self.vectors
        )
        x[0], y[1], z[2] = x[0] + 1, y[1] + 1, z[2] + 1
        return (
            x[0] * (y[1] * z[2] - y[2] * z[1])
            - x[1] * (y[0] * z[2] - y[2] * z[0])
            + x[2] * (y[0] * z[1] - y[1] * z[0])
        )

    def inverse(self) -> "Displacement":
        """The displacement back, by fixed-point iteration on the same grid.

        Source: Chen et al., Med Phys 35 (2008) 81.
        """
        here = torch.from_numpy(self.vectors)
        back = -here
        for _ in range(INVERSE_STEPS):
            back = -pull(here, in_voxels(back, self.grid))
        return Displacement(back.numpy(), self.grid)

    def on(self, grid: Grid) -> "Displacement":
        """The same map on another axis-aligned grid."""
        to_voxel = np.linalg.inv(self.grid.affine) @ grid.affine
        matrix, offset = to_voxel[2::-1, 2::-1], to_voxel[2::-1, 3]
        vectors = [
            ndimage.affine_transform(
                part, matrix, offset, grid.shape, np.float32, order=1, mode="nearest"
            )
            for part in self.vectors
        ]
        return Displacement(np.stack(vectors), grid)


def unfolded(displacement: Displacement, smoothing_mm: float) -> Displacement:
    """The displacement, smoothed until its Jacobian determinant is positive everywhere.

    Raises:
        ValueError: smoothing did not help.
    """
    for _ in range(MENDS):
        if displacement.jacobian().min() > SMALLEST_JACOBIAN:
            return displacement
        vectors = smooth(displacement.vectors, 2 * smoothing_mm, displacement.grid)
        displacement = Displacement(vectors, displacement.grid)
    raise ValueError("the deformation folds; raise registration.deformable.field_smoothing_mm")


def smooth(vectors: np.ndarray, deviation_mm: float, grid: Grid) -> np.ndarray:
    """Vectors (3, z, y, x) under a Gaussian of that standard deviation, mm."""
    deviations = np.array([deviation_mm / step for step in np.diag(grid.affine)[2::-1]])
    if deviations.min() < WIDE or min(grid.shape) < 2 * WIDE:
        return _gaussian(vectors, deviations)
    # a wide Gaussian is as smooth on a grid twice as coarse, and an eighth of the work there
    coarse = torch.nn.functional.avg_pool3d(_evened(torch.from_numpy(vectors)), 2)
    left = np.sqrt(deviations**2 - POOLED_VARIANCE) / 2
    found = torch.from_numpy(_gaussian(coarse.numpy(), left))
    fine = torch.nn.functional.interpolate(found[None], scale_factor=2, mode="trilinear")[0]
    depth, height, width = grid.shape
    return fine[:, :depth, :height, :width].numpy()


def _evened(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors with the last layer repeated along axes of odd length."""
    odd = [size % 2 for size in vectors.shape[:0:-1]]
    return torch.nn.functional.pad(vectors[None], [k for o in odd for k in (0, o)], "replicate")[0]


def _gaussian(vectors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    smoothed = [
        ndimage.gaussian_filter(part, deviations, mode="nearest", truncate=3.0) for part in vectors
    ]
    return np.stack(smoothed).astype(np.float32)


def in_voxels(vectors: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(z, y, x, 3) places, -1 .. 1 along x, y, z, of each voxel moved by `vectors` (mm)."""
    places = []
    for axis, size in enumerate(grid.shape[::-1]):
        along = torch.arange(size, dtype=torch.float32)
        along = along.reshape([size if 2 - axis == k else 1 for k in range(3)])
        voxel = along + vectors[axis] / float(grid.affine[axis, axis])
        places.append(voxel * (2 / max(1, size - 1)) - 1)
    return torch.stack(places, dim=-1)


def pull(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Values (c, z, y, x) at places (z, y, x, 3), linear; the border's beyond it."""
    return torch.nn.functional.grid_sample(
        values[None], places[None], mode="bilinear", padding_mode="border", align_corners=True
    )[0]
