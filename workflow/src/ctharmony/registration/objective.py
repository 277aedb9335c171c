"""Mutual information of two scans under a batch of affine maps, its gradient and curvature.

A map takes a fixed point's unit position u (see FixedPoints) to the world position M [u; 1] of the
moving scan, M being (3, 4): its last column is where the fixed centre lands, in mm, and the others
are mm per radius, so all twelve numbers have the same scale.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.information import parzen
from ctharmony.information.arithmetic import BY_ROW, LIBRARY, Arithmetic
from ctharmony.registration import compiled
from ctharmony.registration.grids import GridRows, MovingGrid, interpolate
from ctharmony.registration.sampling import FixedPoints

# where the product of entries (row, column) stands in a list of distinct products
PAIRS_OF_3 = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
PAIRS_OF_4 = [[0, 1, 2, 3], [1, 4, 5, 6], [2, 5, 7, 8], [3, 6, 8, 9]]
VARIANCE_FLOOR = 0.25  # bins^2: a bin's rounding and spline widths
NOWHERE = -1e9  # voxels: where a map without finite numbers sends its points


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
    moving: MovingGrid | GridRows,
    maps: torch.Tensor,
    normalized: bool,
    slopes: bool,
    curved: bool = True,
) -> Alignment:
    """Evaluate (B, 3, 4) float64 maps; with `slopes` also the gradient, and `curved` the curvature.

    Near the optimum mutual information behaves like -1/2 E[log Var(moving | fixed bin)], whose
    Gauss-Newton curvature is E[J J^T / Var(moving | fixed bin)], J = d moving / d M.
    """
    single = isinstance(moving, MovingGrid) and moving.flat.dtype == torch.float32
    on_processor = single and moving.flat.device.type == "cpu"
    how = LIBRARY if on_processor else BY_ROW
    linear = moving.to_voxels[..., :3, :3]
    in_voxels = how.product(linear, maps)
    in_voxels[:, :, 3] += moving.to_voxels[..., :3, 3]
    seen = (_seen_compiled if on_processor else _seen)(fixed, moving, in_voxels, slopes)
    joint = parzen.joint_histogram(seen.cells, how)
    measure = parzen.normalized_mutual_information if normalized else parzen.mutual_information
    value, overlap = measure(joint, how), seen.share
    if not slopes:
        return Alignment(value, overlap)
    pull = (_pull_compiled if on_processor else _pull)(fixed, seen, joint, normalized)
    gradient = how.product(linear.mT, pull / seen.cells.count.double()[:, None, None])
    curvature = _in_world(_curvature(fixed, seen, how), linear, how) if curved else None
    return Alignment(value, overlap, gradient.flatten(1), curvature)


@dataclass(frozen=True)
class _Seen:
    """What the moving scan shows: cells, derivatives (B, 3, N) per voxel, inside (B, N) 1 or 0.

    `share` (B,) is the part of the points that are inside.
    """

    cells: parzen.Cells
    steps: torch.Tensor
    inside: torch.Tensor
    share: torch.Tensor


def _seen(
    fixed: FixedPoints, moving: MovingGrid | GridRows, maps: torch.Tensor, slopes: bool
) -> _Seen:
    maps = maps.to(fixed.unit.dtype).nan_to_num(NOWHERE)[..., None]
    x, y, z, _ = fixed.unit
    places = maps[:, :, 0] * x + maps[:, :, 1] * y + maps[:, :, 2] * z + maps[:, :, 3]
    values, steps, inside = interpolate(moving, places)
    samples = parzen.Samples(fixed.bins, values * moving.scale, inside)
    cells = parzen.count_cells(samples, fixed.count, BY_ROW)
    share = BY_ROW.total(inside, 1) / fixed.bins.numel()
    return _Seen(cells, steps * moving.scale, inside, share)


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
    cells = parzen.Cells(cell, fraction, moments.float(), count)
    return _Seen(cells, steps, inside, inside.mean(1))


def _pull(fixed: FixedPoints, seen: _Seen, joint: torch.Tensor, normalized: bool) -> torch.Tensor:
    """(B, 3, 4) float64 sums of slope * step * unit position."""
    table = parzen.slope_table(joint, normalized, BY_ROW)
    pull = parzen.sample_slopes(seen.cells, table, BY_ROW) * seen.inside
    return BY_ROW.product(seen.steps * pull[:, None], fixed.unit.mT).double()


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


def _curvature(fixed: FixedPoints, seen: _Seen, how: Arithmetic) -> torch.Tensor:
    """(B, 6, 10) float64 sums of weight * (J J^T) per voxel, J = gradient x [u; 1]."""
    variance = parzen.conditional_variance(seen.cells, VARIANCE_FLOOR, how)
    weight = seen.inside / (variance[:, fixed.bins] * seen.cells.count[:, None])
    steps, weighted = seen.steps, seen.steps * weight[:, None]
    squares = torch.cat([weighted[:, a : a + 1] * steps[:, a:] for a in range(3)], dim=1)
    return how.product(squares, fixed.products).double()


def _in_world(sums: torch.Tensor, linear: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """(B, 12, 12) curvature in world units of the distinct sums (B, 6, 10) per voxel."""
    threes, fours = (torch.tensor(p, device=sums.device) for p in (PAIRS_OF_3, PAIRS_OF_4))
    full = sums[:, threes][:, :, :, fours]
    row = "n" if linear.dim() == 3 else ""
    half = how.contract(f"{row}ka,nkmcd->nmacd", linear, full)
    return how.contract(f"nmacd,{row}mb->nacbd", half, linear).reshape(-1, 12, 12)


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
