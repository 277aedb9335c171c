"""Does a generator show all that is there? Density and coverage of samples, without unit.

Naeem et al., arXiv 2002.09797, equations 3 and 4: a real sample's neighbourhood is the ball that
reaches to its k-th nearest real neighbour. Density counts how many balls a generated sample lies
in (1 on average for equal distributions, no upper limit), coverage the share of balls that hold a
generated sample at all: what falls when modes are dropped.
"""

import torch
from torch import Tensor


def density_coverage(real: Tensor, generated: Tensor, neighbours: int) -> tuple[float, float]:
    """(density, coverage) of generated (m, d) against real (n, d) samples.

    Raises:
        ValueError: there are no more real samples than neighbours.
    """
    if len(real) <= neighbours:
        raise ValueError(f"{len(real)} real samples have no {neighbours} neighbours; give more")
    apart = torch.cdist(real, real)
    reach = apart.kthvalue(neighbours + 1, dim=1).values  # each sample is its own nearest
    inside = torch.cdist(real, generated) < reach[:, None]
    density = inside.double().sum(0).mean() / neighbours
    return float(density), float(inside.any(1).double().mean())


def expected_coverage(real: int, generated: int, neighbours: int) -> float:
    """Coverage that two samples of one distribution have on average, whatever it is.

    1 - (n-1)...(n-k) / ((m+n-1)...(m+n-k)), arXiv 2002.09797, equation 6 (with `neighbours` k).
    """
    missed = 1.0
    for step in range(1, neighbours + 1):
        missed *= (real - step) / (generated + real - step)
    return 1.0 - missed
