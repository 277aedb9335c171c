"""Mutual information of two scans under a batch of affine maps, its gradient and curvature.

A map takes a fixed point's unit position u (see FixedPoints) to the world position M [u; 1] of the
moving scan, M being (3, 4): its last column is where the fixed centre lands, in mm, and the others
are mm per radius, so all twelve numbers have the same scale.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.information import parzen
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
    fixed: FixedPoints, moving: MovingGrid, maps: torch.Tensor, normalized: bool, slopes: bool
) -> Alignment:
    """Evaluate (B, 3, 4) float64 maps; with `slopes` also the gradient and curvature.

    Near the optimum mutual information behaves like -1/2 E[log Var(moving | fixed bin)], whose
    Gauss-Newton curvature is E[J J^T / Var(moving | fixed bin)], J = d moving / d M.
    """
    to_voxel = torch.from_numpy(moving.to_voxel)
    in_voxels = to_voxel[:3, :3] @ maps
    in_voxels[:, :, 3] += to_voxel[:3, 3]
    values, steps, inside = interpolate(moving, in_voxels.to(fixed.unit.dtype) @ fixed.unit)
    samples = parzen.Samples(fixed.bins, values, inside)
    cells = parzen.count_cells(samples, fixed.count)
    joint = parzen.joint_histogram(cells)
    measure = parzen.normalized_mutual_information if normalized else parzen.mutual_information
    value, overlap = measure(joint), inside.mean(1)
    if not slopes:
        return Alignment(value, overlap)
    table = parzen.slope_table(joint, normalized)
    pull = parzen.sample_slopes(cells, table) * inside / cells.count[:, None]
    variance = parzen.conditional_variance(cells, VARIANCE_FLOOR)
    weight = inside / (variance[:, fixed.bins] * cells.count[:, None])
    linear = to_voxel[:3, :3]
    gradient = linear.T @ ((steps * pull[:, None]) @ fixed.unit.T).double()
    curvature = _curvature(steps, weight, fixed.products, linear)
    return Alignment(value, overlap, gradient.flatten(1), curvature)


def _curvature(
    steps: torch.Tensor, weight: torch.Tensor, products: torch.Tensor, linear: torch.Tensor
) -> torch.Tensor:
    """Sum of weight * (J J^T), J = (world gradient) x [u; 1], from 6 x 10 distinct sums.

    `products` (N, 10) holds u_c u_d of [u; 1], c <= d.
    """
    weighted = steps * weight[:, None]
    squares = torch.cat([weighted[:, a : a + 1] * steps[:, a:] for a in range(3)], dim=1)
    sums = (squares @ products).double()
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
