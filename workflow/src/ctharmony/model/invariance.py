"""How much z_b knows of the site, as a penalty in nats, without a critic.

Only reference sites enter. What needs a critic: model.critics.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ctharmony.information.elbo import mutual_information_bounds
from ctharmony.information.gaussian import kl_full
from ctharmony.model.critics import CRITICS

RIDGE = 1e-3


def moyer(mean: Tensor, logvar: Tensor, site: Tensor) -> Tensor:
    """Trainable part of the bound of Moyer et al. (arXiv 1904.05375) on I(z_b; site), nats.

    I(z; s) <= E KL(q(z|x) || q(z)) - E log p(x|z, s) - H(x|s). The decoder term is already in the
    objective; what is added here is the mean pairwise KL, which bounds E KL(q(z|x) || q(z)) from
    above. It presses z_b to drop all that the decoder can take from z_s instead.
    """
    return mutual_information_bounds(mean.flatten(1), logvar.flatten(1))[1]


def gaussian(mean: Tensor, logvar: Tensor, site: Tensor) -> Tensor:
    """sum_s w_s KL(N_s || N) between each site's moments of z_b and the pooled ones, nats.

    A Gaussian stand-in for I(z_b; site), without a critic: mean, logvar (m, c, h, w); every place
    is a draw. It counts all independent places of a patch.
    """
    places = mean.permute(0, 2, 3, 1).flatten(1, 2)
    spread = logvar.exp().permute(0, 2, 3, 1).flatten(1, 2)
    pooled = _moments(places.flatten(0, 1), spread.flatten(0, 1))
    total = mean.new_zeros(())
    for index in site[site >= 0].unique().tolist():
        own = site == index
        moments = _moments(places[own].flatten(0, 1), spread[own].flatten(0, 1))
        total = total + own.float().mean() * kl_full(*moments, *pooled)
    return total * places.shape[1]


DIVERGENCES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "moyer": moyer,
    "gaussian": gaussian,
}


def penalty(name: str) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """The penalty of that name, None for `none`.

    Raises:
        ValueError: the name is unknown.
    """
    if name == "none":
        return None
    if name not in DIVERGENCES:
        known = ", ".join([*DIVERGENCES, *CRITICS])
        raise ValueError(f"invariance.divergence {name!r} is none of {known}")
    return DIVERGENCES[name]


def _moments(values: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    centre = values.mean(0)
    moved = values - centre
    covariance = moved.T @ moved / len(values) + torch.diag(variances.mean(0))
    return centre, covariance + RIDGE * torch.eye(len(centre), device=values.device)
