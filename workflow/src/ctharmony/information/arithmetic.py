"""Two ways to add up: by torch's own routines, or so that no row sees how many others there are.

Libraries choose their kernels, and with them the order of a sum, by the shape of the whole batch;
atomic additions of floating-point numbers come in any order. Where the rows of a batch belong to
different scans, both would let one scan change another's last digits.
"""

from collections.abc import Sequence
from math import prod

import torch

WHOLE_BITS = 62  # sums of whole numbers up to here do not overflow
SHARE_BITS = 40  # of shares between 0 and 1: room for four million samples
SMALLEST = 1e-200  # what is less adds nothing
LONG = 64  # sums of more terms are made of whole numbers, column by column to hold less at once

Dims = int | tuple[int, ...]


class Arithmetic:
    """Sums over samples, cells and the numbers of a map by torch's routines; axis 0 counts rows."""

    def total(self, values: torch.Tensor, dims: Dims) -> torch.Tensor:
        """Sum over `dims`."""
        return values.sum(dims)

    def contract(self, equation: str, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        """What torch.einsum makes of two tensors."""
        return torch.einsum(equation, one, two)

    def product(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        """Matrix products of (..., i, j) and (..., j, k)."""
        return one @ two

    def histogram(self, cells: torch.Tensor, shares: torch.Tensor, size: int) -> torch.Tensor:
        """(k, size) sums of `shares` (k, n), at most 1 each, by the cell (n,) they fall into."""
        return torch.stack([torch.bincount(cells, part, size) for part in shares])

    def solve(self, matrices: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Solutions (R, n, k) of symmetric positive systems (R, n, n), right sides (R, n, k)."""
        return torch.linalg.solve(matrices, right)

    def exponential(self, skew: torch.Tensor) -> torch.Tensor:
        """Rotations (R, 3, 3) whose logarithms are the skew matrices (R, 3, 3)."""
        return torch.linalg.matrix_exp(skew)


class ByRow(Arithmetic):
    """Operations on single numbers, and sums of whole numbers, which have no order.

    Few terms are added one half to the other. Many are rounded to whole multiples of a unit first,
    so that their sum is exact whatever its order. Source: the pre-rounding of Demmel and Nguyen,
    IEEE Symp Computer Arithmetic (2013) 163, here with 64-bit whole numbers.
    """

    def total(self, values: torch.Tensor, dims: Dims) -> torch.Tensor:
        """Sum over `dims`, exact in any order but for the rounding to whole multiples."""
        over = (dims,) if isinstance(dims, int) else dims
        if prod(values.shape[dim] for dim in over) <= LONG:
            return _folded(values, over)
        exact = values.double()
        largest = exact.abs().amax(over, keepdim=True).clamp_min(SMALLEST)
        power = largest / torch.frexp(largest).mantissa  # of two, above the largest term
        terms = prod(values.shape[dim] for dim in over)
        room = 2.0 ** (WHOLE_BITS - terms.bit_length())
        whole = (exact * (room / power)).round_().long().sum(over, keepdim=True)
        return (whole * (power / room)).squeeze(over).to(values.dtype)

    def contract(self, equation: str, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        sides, kept = equation.split("->")
        first, second = sides.split(",")
        letters = kept + "".join(sorted({*first, *second} - {*kept}))
        terms = _spread(one, first, letters) * _spread(two, second, letters)
        return self.total(terms, tuple(range(len(kept), len(letters))))

    def product(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        if two.shape[-2] <= LONG:
            return self.total(one[..., None] * two[..., None, :, :], -2)
        columns = two.mT.unbind(-2)
        return torch.stack([self.total(one * column[..., None, :], -1) for column in columns], -1)

    def histogram(self, cells: torch.Tensor, shares: torch.Tensor, size: int) -> torch.Tensor:
        whole = (shares.double() * 2.0**SHARE_BITS).round_().long()
        sums = torch.zeros(len(shares), size, dtype=torch.int64, device=cells.device)
        sums.scatter_add_(1, cells.expand_as(whole), whole)
        return (sums.double() * 2.0**-SHARE_BITS).to(shares.dtype)

    def solve(self, matrices: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Solutions by Gauss and Jordan's elimination; positive systems, scaled, need no pivots."""
        size = matrices.shape[-1]
        scale = torch.diagonal(matrices, dim1=1, dim2=2).rsqrt()[:, :, None]
        table = torch.cat([matrices * scale * scale.mT, right * scale], dim=2)
        unit = torch.eye(size, dtype=table.dtype, device=table.device)
        for k in range(size):
            row = table[:, k : k + 1] / table[:, k : k + 1, k : k + 1]
            table = table - (table[:, :, k : k + 1] - unit[:, k : k + 1]) * row
        return table[:, :, size:] * scale

    def exponential(self, skew: torch.Tensor) -> torch.Tensor:
        # Rodrigues' formula; sinc has no trouble at zero
        turns = (self.total(skew.square(), (1, 2)) / 2).sqrt()[:, None, None] / torch.pi
        unit = torch.eye(3, dtype=skew.dtype, device=skew.device)
        curved = (turns / 2).sinc().square() / 2 * self.product(skew, skew)
        return unit + turns.sinc() * skew + curved


LIBRARY = Arithmetic()
BY_ROW = ByRow()


def _folded(values: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """Sum over `dims`, by adding one half of an axis to the other."""
    for dim in dims:
        while (size := values.shape[dim]) > 1:
            half = size // 2
            folded = values.narrow(dim, 0, half) + values.narrow(dim, half, half)
            if size % 2:
                folded.narrow(dim, 0, 1).add_(values.narrow(dim, size - 1, 1))
            values = folded
    return values.squeeze(dims)


def _spread(values: torch.Tensor, own: str, letters: Sequence[str]) -> torch.Tensor:
    """`values`, whose axes are called `own`, with one axis for each of `letters`."""
    ordered = values.permute([own.index(letter) for letter in letters if letter in own])
    sizes = iter(ordered.shape)
    return ordered.reshape([next(sizes) if letter in own else 1 for letter in letters])
