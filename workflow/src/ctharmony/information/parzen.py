"""Mutual information of sampled intensities with a smooth histogram and its exact derivative.

The first image falls into its nearest bin, the second is spread over four bins by the cubic
B-spline, so the joint histogram is twice differentiable in the second image's intensities.
Source: Thevenaz and Unser, IEEE Trans Image Process 9 (2000) 2083, sections III and IV.

Within one bin the spline weights are cubic polynomials of the fractional position, so all sums over
samples reduce to four weighted counts per cell; every table below follows from those counts. How
sums are taken, `how`, is explained in arithmetic.py.
"""

from dataclasses import dataclass

import torch

from ctharmony.information.arithmetic import LIBRARY, Arithmetic

# weight of tap k (rows: bins j-1, j, j+1, j+2) as coefficients of 1, f, f^2, f^3
SPLINE = ((1, -3, 3, -1), (4, 0, -6, 3), (1, 3, 3, -3), (0, 0, 0, 1))
TAPS = 4
TINY = 1e-12


@dataclass(frozen=True)
class Samples:
    """Paired intensities of B alignments of the same N points.

    Attributes:
        fixed_bin: (N,) int64, 0 .. bins-1.
        moving: (B, N) continuous bin position, 0 .. bins-1.
        weight: (B, N) 0 where the moving image has no value, else 1.
    """

    fixed_bin: torch.Tensor
    moving: torch.Tensor
    weight: torch.Tensor


@dataclass(frozen=True)
class Cells:
    """Counts per histogram cell and where each sample lies.

    Attributes:
        index: (B, N) flat cell of each sample over (B, bins, bins).
        fraction: (B, N) position within the cell, 0 .. 1.
        moments: (B, 4, bins, bins) sums of weight * fraction^m.
        count: (B,) sum of weights, at least 1.
    """

    index: torch.Tensor
    fraction: torch.Tensor
    moments: torch.Tensor
    count: torch.Tensor


def count_cells(samples: Samples, bins: int, how: Arithmetic = LIBRARY) -> Cells:
    """Sort samples into cells and sum the powers of their fractional positions."""
    batch = samples.moving.shape[0]
    whole = samples.moving.long()
    fraction = samples.moving - whole
    offset = torch.arange(batch, device=whole.device)[:, None] * bins
    index = (offset + samples.fixed_bin) * bins + whole
    flat, size = index.reshape(-1), batch * bins * bins
    powers = [samples.weight]
    for _ in range(TAPS - 1):
        powers.append(powers[-1] * fraction)
    sums = how.histogram(flat, torch.stack(powers).reshape(TAPS, -1), size)
    moments = sums.reshape(TAPS, batch, bins, bins).transpose(0, 1)
    return Cells(index, fraction, moments, how.total(samples.weight, 1).clamp_min(1.0))


def joint_histogram(cells: Cells, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """(B, bins, bins + 3) probabilities: rows the fixed image, columns the smoothed moving one."""
    spline = torch.tensor(SPLINE, dtype=cells.moments.dtype, device=cells.moments.device) / 6
    taps = how.contract("km,bmij->bkij", spline, cells.moments)
    batch, _, bins, _ = taps.shape
    joint = taps.new_zeros(batch, bins, bins + TAPS - 1)
    for tap in range(TAPS):
        joint[:, :, tap : tap + bins] += taps[:, tap]
    return joint / cells.count[:, None, None]


def mutual_information(joint: torch.Tensor, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """D(p(x, y) || p(x) p(y)) in nats for each joint distribution of (B, I, J); returns (B,)."""
    product = how.total(joint, 2)[:, :, None] * how.total(joint, 1)[:, None]
    ratio = torch.where(joint > TINY, joint / product.clamp_min(TINY**2), torch.ones_like(joint))
    return how.total(joint * ratio.log(), (1, 2))


def normalized_mutual_information(joint: torch.Tensor, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """(H(x) + H(y)) / H(x, y) for each joint distribution of (B, I, J); returns (B,), 1 .. 2.

    Source: Studholme et al., Pattern Recognit 32 (1999) 71.
    """
    whole = _entropy(joint.flatten(1), how)
    parts = _entropy(how.total(joint, 2), how) + _entropy(how.total(joint, 1), how)
    return parts / whole.clamp_min(TINY)


def slope_table(joint: torch.Tensor, normalized: bool, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """Derivative of the (normalized) mutual information by each cell's probability, (B, I, J).

    Terms that are constant along the moving axis are left out: moving a sample along that axis
    keeps the sum of its row.
    """
    log_joint = joint.clamp_min(TINY).log()
    log_moving = how.total(joint, 1)[:, None].clamp_min(TINY).log()
    if not normalized:
        return log_joint - log_moving
    value = normalized_mutual_information(joint, how)[:, None, None]
    whole = _entropy(joint.flatten(1), how).clamp_min(TINY)[:, None, None]
    return (value * log_joint - log_moving) / whole


def sample_slopes(cells: Cells, table: torch.Tensor, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """Derivative of the measure by each sample's moving intensity times the count, (B, N)."""
    constant, linear, square = slope_polynomials(table, how).flatten(1)
    index, fraction = cells.index, cells.fraction
    return constant[index] + fraction * (linear[index] + fraction * square[index])


def slope_polynomials(table: torch.Tensor, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """(3, B, bins, bins): constant, linear and square coefficient of each cell's slope."""
    bins = table.shape[1]
    spline = torch.tensor(SPLINE, dtype=table.dtype, device=table.device) / 6
    slopes = spline[:, 1:] * torch.tensor([1.0, 2.0, 3.0], dtype=table.dtype, device=table.device)
    windows = torch.stack([table[:, :, tap : tap + bins] for tap in range(TAPS)])
    return how.contract("km,kbij->mbij", slopes, windows)


def conditional_variance(cells: Cells, floor: float, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """Variance (bins^2) of the moving intensity in each fixed bin, plus `floor`; (B, bins)."""
    moments = cells.moments
    whole = torch.arange(moments.shape[-1], dtype=moments.dtype, device=moments.device)
    count = how.total(moments[:, 0], 2).clamp_min(TINY)
    mean = how.total(moments[:, 0] * whole + moments[:, 1], 2) / count
    square = moments[:, 0] * whole**2 + 2 * moments[:, 1] * whole + moments[:, 2]
    return (how.total(square, 2) / count - mean**2).clamp_min(0.0) + floor


def independence_bias(count: float, bins: int) -> float:
    """What plug-in mutual information of independent samples averages, nats: (bins-1)^2 / (2 n).

    Source: Miller, Information Theory in Psychology (1955); the first-order term.
    """
    return (bins - 1) ** 2 / (2.0 * count)


def _entropy(probability: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    return -how.total(probability * probability.clamp_min(TINY).log(), 1)
