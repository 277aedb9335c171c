"""Wasserstein distances between samples, in the unit of the samples (torch; gradients flow).

Exact in one dimension and along random directions (sliced), exact and entropic in any dimension
through POT for small sets. Peyre & Cuturi, Computational Optimal Transport, arXiv 1803.00567.
"""

import torch
from torch import Tensor

LARGEST_SET = 4000  # points of an exact plan: its table of costs has this many squared


def wasserstein_1d(
    x: Tensor,
    y: Tensor,
    weight_x: Tensor | None = None,
    weight_y: Tensor | None = None,
    order: float = 1.0,
) -> Tensor:
    """W_order^order between weighted samples on a line: the area between the quantile functions.

    Args:
        x: (n, ...) and y: (m, ...) samples; axes after the first are problems of their own.
        weight_x: (n,) and weight_y: (m,) non-negative, of equal sums; None for equal weights.
        order: of the cost |x - y|^order, at least 1.

    Returns:
        (...) one value per problem; the caller takes the root.

    Source: Peyre & Cuturi, remark 2.30.
    """
    if weight_x is None and weight_y is None and len(x) == len(y):
        gap = (x.sort(0).values - y.sort(0).values).abs()
        return gap.pow(order).mean(0)
    x, levels_x = _quantiles(x, weight_x)
    y, levels_y = _quantiles(y, weight_y)
    levels = torch.cat([levels_x, levels_y]).sort(0).values
    width = torch.diff(levels, dim=0, prepend=torch.zeros_like(levels[:1]))
    middle = levels - 0.5 * width
    gap = (_at(x, levels_x, middle) - _at(y, levels_y, middle)).abs()
    return (width * gap.pow(order)).sum(0)


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    directions: Tensor,
    weights: tuple[Tensor | None, Tensor | None] = (None, None),
    order: float = 2.0,
) -> Tensor:
    """(mean over directions of W_order^order)^(1/order) of x (n, d) and y (m, d).

    Args:
        directions: (d, k) unit vectors, see `unit_directions`.
        weights: of x and of y as for `wasserstein_1d`.

    Source: Bonneel et al., J Math Imaging Vis 51 (2015) 22.
    """
    mean = wasserstein_1d(x @ directions, y @ directions, *weights, order).mean()
    # a root has no slope at zero; equal samples shall have the gradient zero
    return (mean + torch.finfo(mean.dtype).tiny).pow(1.0 / order)


def unit_directions(dimensions: int, count: int, generator: torch.Generator) -> Tensor:
    """(dimensions, count) directions, uniform on the sphere."""
    drawn = torch.randn(dimensions, count, generator=generator)
    return drawn / drawn.norm(dim=0).clamp(min=1e-12)


def wasserstein_exact(x: Tensor, y: Tensor, order: float = 1.0) -> float:
    """W_order between equally weighted sets x (n, d) and y (m, d), by POT's network simplex.

    Raises:
        ValueError: the sets are too large for an exact plan.
    """
    import ot

    cost = _cost(x, y, order)
    empty = cost.new_empty(0).numpy()
    return float(ot.emd2(empty, empty, cost.numpy(), numItermax=1_000_000)) ** (1.0 / order)


def sinkhorn(x: Tensor, y: Tensor, regularisation: float, order: float = 1.0) -> float:
    """Cost^(1/order) of the entropic plan between x (n, d) and y (m, d), by POT in log domain.

    Never below the exact distance; it nears it as `regularisation` (unit^order) falls. Cuturi,
    arXiv 1306.0895.

    Raises:
        ValueError: the sets are too large for a plan.
    """
    import ot

    cost = _cost(x, y, order).numpy()
    even = [torch.full((count,), 1.0 / count, dtype=torch.double).numpy() for count in cost.shape]
    value = ot.sinkhorn2(
        *even, cost, regularisation, method="sinkhorn_log", numItermax=2000, stopThr=1e-7
    )
    return float(value) ** (1.0 / order)


def gaussian_wasserstein(mean_q: Tensor, sd_q: Tensor, mean_p: Tensor, sd_p: Tensor) -> Tensor:
    """W_2 between diagonal Gaussians: means and SDs (d,), unit of the samples."""
    return ((mean_q - mean_p).square().sum() + (sd_q - sd_p).square().sum()).sqrt()


def _cost(x: Tensor, y: Tensor, order: float) -> Tensor:
    if max(len(x), len(y)) > LARGEST_SET:
        raise ValueError(
            f"sets of {len(x)} and {len(y)} points are too large for a plan; "
            f"give {LARGEST_SET} or fewer, or take sliced_wasserstein"
        )
    return torch.cdist(x.detach().double(), y.detach().double()).pow(order).cpu()


def _quantiles(values: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sorted values and the level at which each quantile step ends, both (n, ...)."""
    order = values.argsort(0)
    if weight is None:
        weight = torch.full((len(values),), 1.0 / len(values), dtype=values.dtype).to(values.device)
    levels = (weight / weight.sum())[order].cumsum(0)
    return values.gather(0, order), levels.detach()


def _at(values: Tensor, levels: Tensor, wanted: Tensor) -> Tensor:
    """Quantile function at the levels `wanted` (k, ...)."""
    last = len(values) - 1
    lines = values.dim() > 1  # searchsorted wants one problem per row
    columns = [part.flatten(1).T.contiguous() if lines else part for part in (levels, wanted)]
    index = torch.searchsorted(*columns).clamp(max=last)
    index = index.T.reshape(wanted.shape) if lines else index
    return values.gather(0, index)
