"""Monotone piecewise-linear HU curves, one per sample, differentiable in values and in knots."""

import torch
from torch import Tensor

# the least slope a scanner's HU curve may take, so that it can always be inverted
MIN_SLOPE = 0.1
# HU to network units: steep where small differences matter (lung, soft tissue), flat in bone
NORMAL_HU = (-1000.0, -800.0, -150.0, 150.0, 500.0, 1500.0)
NORMAL_UNITS = (-1.5, -1.0, -0.4, 0.4, 0.9, 1.6)


def piecewise_linear(values: Tensor, knots_in: Tensor, knots_out: Tensor) -> Tensor:
    """Map values (n, ...) through the curve of each sample; knots (n, k) or (k,), increasing.

    Beyond the end knots the last segments go on.
    """
    rank = values.dim() - 1
    knots_in = knots_in.expand(len(values), -1)
    knots_out = knots_out.expand(len(values), -1)
    slopes = (knots_out.diff(dim=1) / knots_in.diff(dim=1)).reshape(len(values), -1, *[1] * rank)
    starts = knots_in.reshape(len(values), -1, *[1] * rank)
    last = slopes.shape[1] - 1
    result = knots_out[:, 0].reshape(-1, *[1] * rank)
    for k in range(last + 1):
        low = None if k == 0 else starts[:, k]
        high = None if k == last else starts[:, k + 1]
        inside = values if low is None and high is None else torch.clamp(values, low, high)
        result = result + slopes[:, k] * (inside - starts[:, k])
    return result


def increasing(knots: Tensor, shifts: Tensor) -> Tensor:
    """Knots (k,) moved by shifts (n, k), each step kept at MIN_SLOPE of the unmoved one or more."""
    steps = knots.diff()
    moved = torch.maximum(steps + shifts.diff(dim=1), MIN_SLOPE * steps)
    first = (knots[0] + shifts[:, :1]).expand(-1, 1)
    return torch.cat([first, first + moved.cumsum(dim=1)], dim=1)


def to_units(hu: Tensor) -> Tensor:
    """HU (n, ...) to network units."""
    return piecewise_linear(hu, hu.new_tensor(NORMAL_HU), hu.new_tensor(NORMAL_UNITS))


def to_hu(units: Tensor) -> Tensor:
    """Inverse of `to_units`."""
    return piecewise_linear(units, units.new_tensor(NORMAL_UNITS), units.new_tensor(NORMAL_HU))
