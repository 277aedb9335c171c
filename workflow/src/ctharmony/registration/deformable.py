"""Greedy diffeomorphic registration by local correlation, after the affine one.

The displacement is built from many small smooth steps, each composed with what was reached before.
Source: Avants et al., Med Image Anal 12 (2008) 26 (the force of local correlation); Christensen et
al., IEEE Trans Image Process 5 (1996) 1435 (composing small steps keeps the map invertible).
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from ctharmony.registration.displacement import (
    Displacement,
    in_voxels,
    pull,
    smooth,
    unfolded,
)
from ctharmony.registration.pyramid import Level
from ctharmony.registration.resampling import Grid

VARIANCE_FLOOR = (
    4e-4  # of intensities 0 .. 1: flat places, where only noise correlates, do not pull
)


@dataclass(frozen=True)
class DeformableSettings:
    """Values of the config's `registration.deformable` block.

    Attributes:
        enabled: whether scans are deformed after the affine registration.
        levels_mm: voxel sizes, coarse to fine, mm.
        iterations: steps at each level.
        step_voxels: longest displacement of one step, voxels.
        window_mm: side of the cube in which intensities are correlated, mm.
        step_smoothing_mm: standard deviation of the Gaussian on every step, mm.
        field_smoothing_mm: the same on the whole displacement after every step, mm.
    """

    enabled: bool
    levels_mm: tuple[float, ...]
    iterations: tuple[int, ...]
    step_voxels: float
    window_mm: float
    step_smoothing_mm: float
    field_smoothing_mm: float

    @classmethod
    def from_config(cls, block: dict[str, Any]) -> "DeformableSettings":
        """Take the values from the config block.

        Raises:
            ValueError: a value is missing, or levels_mm and iterations differ in length.
        """
        missing = [field.name for field in fields(cls) if field.name not in block]
        if missing:
            raise ValueError(f"registration.deformable: {', '.join(missing)} missing")
        if len(block["levels_mm"]) != len(block["iterations"]):
            raise ValueError("registration.deformable: levels_mm and iterations differ in length")
        values = {field.name: block[field.name] for field in fields(cls)}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def deform(
    fixed: list[Level], moving: list[Level], transform: np.ndarray, how: DeformableSettings
) -> Displacement:
    """The displacement of fixed points that goes before the affine map.

    A fixed point x shows what the moving scan shows at transform(x + displacement(x)).

    Args:
        fixed, moving: levels (see pyramid) at how.levels_mm; the fixed axes along the world's.
        transform: (4, 4) affine map of fixed to moving world points, mm.
        how: settings.

    Raises:
        ValueError: the map folds and no smoothing mends it.
    """
    displacement = None
    for one, two, iterations in zip(fixed, moving, how.iterations, strict=True):
        grid = Grid(tuple(one.values.shape), one.affine)
        if displacement is None:
            displacement = Displacement(np.zeros((3, *grid.shape), np.float32), grid)
        pair = _pair(one, two, transform)
        displacement = _climb(pair, displacement.on(grid), how, iterations)
    return unfolded(displacement, how.field_smoothing_mm)


@dataclass(frozen=True)
class _Pair:
    """Both scans on the fixed grid, and where the fixed body lies in what the moving scan shows."""

    fixed: np.ndarray
    moving: torch.Tensor
    weight: np.ndarray


def _pair(fixed: Level, moving: Level, transform: np.ndarray) -> _Pair:
    to_voxel = np.linalg.inv(moving.affine) @ transform @ fixed.affine
    matrix, offset = to_voxel[2::-1, 2::-1], to_voxel[2::-1, 3]
    shape = tuple(fixed.values.shape)

    def onto(values: np.ndarray, outside: str) -> np.ndarray:
        return ndimage.affine_transform(
            values, matrix, offset, shape, np.float32, order=1, mode=outside
        )

    moved = onto(moving.values.numpy(), "nearest")
    shown = onto(np.ones(tuple(moving.values.shape), np.float32), "constant")
    weight = fixed.mask * (shown > 0.5)
    return _Pair(fixed.values.numpy(), torch.from_numpy(moved)[None], weight.astype(np.float32))


def _climb(
    pair: _Pair, start: Displacement, how: DeformableSettings, iterations: int
) -> Displacement:
    grid, vectors = start.grid, start.vectors
    step_mm = np.diag(grid.affine)[:3].astype(np.float32)
    longest = how.step_voxels * float(step_mm.min())
    for number in range(iterations):
        places = in_voxels(torch.from_numpy(vectors), grid)
        warped = pull(pair.moving, places)[0].numpy()
        force = correlation_force(pair.fixed, warped, grid, how.window_mm)
        step = smooth(force * pair.weight, how.step_smoothing_mm, grid)
        size = float(np.sqrt((step**2).sum(axis=0)).max())
        # shorter towards the end, so that the ascent settles
        step *= longest * (1 - number / (iterations + 1)) / max(size, 1e-12)
        step = torch.from_numpy(step)
        vectors = (step + pull(torch.from_numpy(vectors), in_voxels(step, grid))).numpy()
        vectors = smooth(vectors, how.field_smoothing_mm, grid)
    return Displacement(vectors, grid)


def correlation_force(
    fixed: np.ndarray, warped: np.ndarray, grid: Grid, window_mm: float
) -> np.ndarray:
    """Derivative of the squared local correlation by a displacement, (3, z, y, x), per mm.

    Args:
        fixed, warped: (z, y, x) intensities 0 .. 1.
        grid: theirs.
        window_mm: side of the window.
    """
    spacing = np.diag(grid.affine)[:3]
    sides = [max(3, 2 * round(window_mm / step / 2) + 1) for step in spacing[::-1]]

    def local(values: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(values, sides, mode="nearest")

    mean_fixed, mean_warped = local(fixed), local(warped)
    both = local(fixed * warped) - mean_fixed * mean_warped
    var_fixed = local(fixed * fixed) - mean_fixed**2 + VARIANCE_FLOOR
    var_warped = local(warped * warped) - mean_warped**2 + VARIANCE_FLOOR
    ratio = both / var_warped
    slope_of = 2 * ratio / var_fixed * ((fixed - mean_fixed) - ratio * (warped - mean_warped))
    slopes = np.gradient(warped)[::-1]
    return np.stack([slope_of * slope / step for slope, step in zip(slopes, spacing, strict=True)])
