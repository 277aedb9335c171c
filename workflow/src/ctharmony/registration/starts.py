"""Starting positions: rotations about each axis times shifts along the body, never a reflection.

Mutual information cannot tell left from right in a near-symmetric body, so the header's handedness
is trusted and every start is a proper rotation.
"""

from itertools import product

import numpy as np
import torch

from ctharmony.information.parzen import independence_bias
from ctharmony.registration.grids import MovingGrid
from ctharmony.registration.objective import align
from ctharmony.registration.optimiser import moved_by
from ctharmony.registration.pyramid import Level
from ctharmony.registration.sampling import FixedPoints
from ctharmony.registration.steps import Score, Steps
from ctharmony.registration.transforms import rotation

SCORED_POINTS = 512
SMALLEST_OVERLAP = 0.25  # of the shorter scan: starts that share less are not tried
DISTINCT_MM = 25.0
CHUNK = 256


def rotations(degrees: float) -> np.ndarray:
    """(27, 3, 3): none, and +-`degrees` about the 13 axes through a cube's faces, edges, corners.

    Of all turns by up to 60 degrees none is more than about 30 from the nearest of these.
    """
    axes = [axis for axis in product((-1, 0, 1), repeat=3) if any(axis)]
    return np.stack([np.eye(3), *(rotation(np.array(axis), degrees) for axis in axes)])


def shifts(fixed: Level, moving: Level, step_mm: float) -> np.ndarray:
    """(n,) mm offsets of the moving body's middle along z at which the scans still overlap."""
    long_fixed, long_moving = _height(fixed), _height(moving)
    shared = SMALLEST_OVERLAP * min(long_fixed, long_moving)
    reach = max(0.0, (long_fixed + long_moving) / 2 - shared)
    steps = int(np.ceil(reach / step_mm))
    return np.arange(-steps, steps + 1) * step_mm


def starting_maps(
    fixed: FixedPoints, turns: np.ndarray, offsets: np.ndarray, middle: np.ndarray
) -> torch.Tensor:
    """(turns * offsets, 3, 4) maps that put the fixed centre on the moving body's middle."""
    maps = np.zeros((len(turns), len(offsets), 3, 4))
    maps[:, :, :, :3] = turns[:, None] * fixed.frame.radius
    maps[:, :, :, 3] = middle
    maps[:, :, 2, 3] += offsets
    return torch.from_numpy(maps.reshape(-1, 3, 4))


def body_middle(level: Level) -> np.ndarray:
    """(3,) world mm: mean of the body along x and y, middle of the scan along z."""
    world = _body_points(level)
    middle = world.mean(axis=0)
    middle[2] = (world[:, 2].min() + world[:, 2].max()) / 2
    return middle


def best_starts(
    fixed: FixedPoints, moving: Level, maps: torch.Tensor, keep: int
) -> Steps[torch.Tensor]:
    """The `keep` best-scoring of `maps` that lie apart from one another, (keep, 3, 4)."""
    few = fixed.thinned(max(1, fixed.bins.numel() // SCORED_POINTS))
    score = yield Score(few, moving, maps)
    order = torch.argsort(score, descending=True, stable=True).tolist()
    return maps[distinct(maps, order, DISTINCT_MM, keep)]


def scores(fixed: FixedPoints, moving: MovingGrid, maps: torch.Tensor) -> torch.Tensor:
    """(B,) mutual information less its bias times the root of the overlap: how starts are ranked.

    Without the overlap, two thin slices of anything would look best.
    """
    found = [align(fixed, moving, chunk, False, slopes=False) for chunk in maps.split(CHUNK)]
    return torch.cat([rank(one.value, one.overlap, fixed) for one in found])


def rank(value: torch.Tensor, overlap: torch.Tensor, fixed: FixedPoints) -> torch.Tensor:
    """The score of alignments whose measure and overlap are known."""
    samples = (overlap * fixed.bins.numel()).clamp_min(1.0)
    return (value - independence_bias(1.0, fixed.count) / samples) * overlap.sqrt()


def distinct(maps: torch.Tensor, order: list[int], apart_mm: float, most: int) -> list[int]:
    """The first `most` in `order` that lie farther than `apart_mm` from all taken before them."""
    chosen, near = [], torch.zeros(len(maps), dtype=torch.bool)
    for one in order:
        if not near[one]:
            chosen.append(one)
            near |= moved_by(maps - maps[one]) <= apart_mm
        if len(chosen) == most:
            break
    return chosen


def _height(level: Level) -> float:
    """Length (mm) of the body along the world's z."""
    along = _body_points(level)[:, 2]
    return float(along.max() - along.min() + np.abs(level.affine[2, :3]).max())


def _body_points(level: Level) -> np.ndarray:
    """(n, 3) world positions of the body's voxels, mm."""
    voxels = np.argwhere(level.body)[:, ::-1]
    return voxels @ level.affine[:3, :3].T + level.affine[:3, 3]
