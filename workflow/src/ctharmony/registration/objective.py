"""Mutual information of two scans under a batch of affine maps, its gradient and curvature.

A map takes a fixed point's unit position u (see FixedPoints) to the world position M [u; 1] of the
moving scan, M being (3, 4): its last column is where the fixed centre lands, in mm, and the others
are mm per radius, so all twelve numbers have the same scale.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.information import parzen
from ctharmony.registration import compiled
from ctharmony.registration.sampling import FixedPoints, MovingGrid, interpolate

# where the product of entries (row, column) stands in a list of distinct products
PAIRS_OF_3 = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
PAIRS_OF_4 = [[0, 1, 2, 3], [1, 4, 5, 6], [2, 5, 7, 8], [3, 6, 8, 9]]
VARIANCE_FLOOR = 0.25  # bins^2: a bin's rounding and spline widths


@dataclass(frozen=True)
class Alignment:
    """How well B maps align the scans.

    Attributes:
        value: (B,) the measure (nats for mutual information).
        overlap: (B,) share of the fixed points that fall inside the moving scan.
        gradient: (B, 12) derivative of the value by M, row by row; None when not asked for.
        curvature: (B, 12, 12) Gauss-Newton approximation of minus its second derivative.
    """

    value: torch.Tensor
    overlap: torch.Tensor
    gradient: torch.Tensor | None = None
    curvature: torch.Tensor | None = None

    def of(self, chosen: torch.Tensor) -> "Alignment":
        """The values and gradients of some of the maps."""
        return Alignment(self.value[chosen], self.overlap[chosen], self.gradient[chosen])


def align(
    fixed: FixedPoints,
    moving: MovingGrid,
    maps: torch.Tensor,
    normalized: bool,
    slopes: bool,
    curved: bool = True,
) -> Alignment:
    """Evaluate (B, 3, 4) float64 maps; with `slopes` also the gradient, and `curved` the curvature.

    Near the optimum mutual information behaves like -1/2 E[log Var(moving | fixed bin)], whose
    Gauss-Newton curvature is E[J J^T / Var(moving | fixed bin)], J = d moving / d M.
    """
    to_voxel = torch.from_numpy(moving.to_voxel)
    in_voxels = to_voxel[:3, :3] @ maps
    in_voxels[:, :, 3] += to_voxel[:3, 3]
    on_processor = moving.flat.dtype == torch.float32 and moving.flat.device.type == "cpu"
    seen = (_seen_compiled if on_processor else _seen)(fixed, moving, in_voxels, slopes)
    joint = parzen.joint_histogram(seen.cells)
    measure = parzen.normalized_mutual_information if normalized else parzen.mutual_information
    value, overlap = measure(joint), seen.inside.mean(1)
    if not slopes:
        return Alignment(value, overlap)
    linear = to_voxel[:3, :3]
    pull = (_pull_compiled if on_processor else _pull)(fixed, seen, joint, normalized)
    gradient = linear.T @ (pull / seen.cells.count.double()[:, None, None])
    return Alignment(
        value, overlap, gradient.flatten(1), _curvature(fixed, seen, linear) if curved else None
    )


@dataclass(frozen=True)
class _Seen:
    """What the moving scan shows: cells, derivatives (B, 3, N) per voxel, inside (B, N) 1 or 0."""

    cells: parzen.Cells
    steps: torch.Tensor
    inside: torch.Tensor


def _seen(fixed: FixedPoints, moving: MovingGrid, maps: torch.Tensor, slopes: bool) -> _Seen:
    values, steps, inside = interpolate(moving, maps.to(fixed.unit.dtype) @ fixed.unit)
    cells = parzen.count_cells(parzen.Samples(fixed.bins, values, inside), fixed.count)
    return _Seen(cells, steps, inside)


def _seen_compiled(
    fixed: FixedPoints, moving: MovingGrid, maps: torch.Tensor, slopes: bool
) -> _Seen:
    batch, number, bins = len(maps), fixed.bins.numel(), fixed.count
    moments = torch.zeros(batch, parzen.TAPS, bins, bins, dtype=torch.float64)
    cell = torch.empty(batch, number, dtype=torch.int32)
    fraction, inside = torch.empty(2, batch, number)
    steps = torch.empty(batch, 3, number if slopes else 0)
    compiled.sample(
        (moving.flat.numpy(), moving.shape, moving.field),
        (fixed.unit.numpy(), fixed.bins.numpy()),
        maps.float().numpy(),
        moments.numpy(),
        tuple(part.numpy() for part in (cell, fraction, steps, inside)),
    )
    count = inside.sum(1).clamp_min(1.0)
    return _Seen(parzen.Cells(cell, fraction, moments.float(), count), steps, inside)


def _pull(fixed: FixedPoints, seen: _Seen, joint: torch.Tensor, normalized: bool) -> torch.Tensor:
    """(B, 3, 4) float64 sums of slope * step * unit position."""
    table = parzen.slope_table(joint, normalized)
    pull = parzen.sample_slopes(seen.cells, table) * seen.inside
    return ((seen.steps * pull[:, None]) @ fixed.unit.T).double()


def _pull_compiled(
    fixed: FixedPoints, seen: _Seen, joint: torch.Tensor, normalized: bool
) -> torch.Tensor:
    tables = parzen.slope_polynomials(parzen.slope_table(joint, normalized))
    tables = tables.permute(1, 2, 3, 0).flatten(1, 2).contiguous()
    sums = torch.empty(len(joint), 3, 4, dtype=torch.float64)
    cells = seen.cells
    found = cells.index, cells.fraction, seen.steps, seen.inside
    compiled.pull_sums(
        tables.numpy(), tuple(part.numpy() for part in found), fixed.unit.numpy(), sums.numpy()
    )
    return sums


def _curvature(fixed: FixedPoints, seen: _Seen, linear: torch.Tensor) -> torch.Tensor:
    """Sum of weight * (J J^T), J = (world gradient) x [u; 1], from 6 x 10 distinct sums."""
    variance = parzen.conditional_variance(seen.cells, VARIANCE_FLOOR)
    weight = seen.inside / (variance[:, fixed.bins] * seen.cells.count[:, None])
    steps, weighted = seen.steps, seen.steps * weight[:, None]
    squares = torch.cat([weighted[:, a : a + 1] * steps[:, a:] for a in range(3)], dim=1)
    sums = (squares @ fixed.products).double()
    full = sums[:, PAIRS_OF_3][:, :, :, PAIRS_OF_4]
    world = torch.einsum("ka,nkmcd,mb->nacbd", linear, full, linear)
    return world.reshape(-1, 12, 12)


def to_matrix(map_: torch.Tensor, fixed: FixedPoints) -> np.ndarray:
    """(4, 4) world-to-world matrix of one (3, 4) map."""
    inner = np.eye(4)
    inner[:3, :3] /= fixed.frame.radius
    inner[:3, 3] = -fixed.frame.centre / fixed.frame.radius
    matrix = np.eye(4)
    matrix[:3] = map_.numpy() @ inner
    return matrix


def from_matrix(matrix: np.ndarray, fixed: FixedPoints) -> torch.Tensor:
    """(3, 4) map of one (4, 4) world-to-world matrix."""
    outer = np.eye(4)
    outer[:3, :3] *= fixed.frame.radius
    outer[:3, 3] = fixed.frame.centre
    return torch.from_numpy((matrix @ outer)[:3])
