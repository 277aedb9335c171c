"""Closed forms for Gaussian densities, in nats (torch; gradients flow)."""

import math

import torch
from torch import Tensor

LOG_TWO_PI = math.log(2.0 * math.pi)


def kl_diagonal(mean_q: Tensor, logvar_q: Tensor, mean_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL(N(mean_q, exp logvar_q) || N(mean_p, exp logvar_p)) of every dimension, nats.

    Shapes broadcast; nothing is summed (Kingma & Welling, arXiv 1312.6114, appendix B, with a
    general prior).
    """
    spread = torch.exp(logvar_q - logvar_p)
    shift = (mean_q - mean_p).square() * torch.exp(-logvar_p)
    return 0.5 * (logvar_p - logvar_q + spread + shift - 1.0)


def kl_standard(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp logvar) || N(0, 1)) of every dimension, nats."""
    zero = torch.zeros((), dtype=mean.dtype, device=mean.device)
    return kl_diagonal(mean, logvar, zero, zero)


def kl_full(mean_q: Tensor, cov_q: Tensor, mean_p: Tensor, cov_p: Tensor) -> Tensor:
    """KL between Gaussians with full covariances: means (d,), covariances (d, d); nats.

    Raises:
        torch.linalg.LinAlgError: a covariance is not positive definite.
    """
    lower_q, lower_p = torch.linalg.cholesky(cov_q), torch.linalg.cholesky(cov_p)
    ratio = torch.linalg.solve_triangular(lower_p, lower_q, upper=False)
    shift = torch.linalg.solve_triangular(lower_p, (mean_p - mean_q)[:, None], upper=False)
    log_determinants = 2.0 * (lower_p.diagonal().log().sum() - lower_q.diagonal().log().sum())
    return 0.5 * (ratio.square().sum() + shift.square().sum() - len(mean_q) + log_determinants)


def renyi_diagonal(
    mean_q: Tensor, logvar_q: Tensor, mean_p: Tensor, logvar_p: Tensor, order: float
) -> Tensor:
    """Renyi's divergence D_order(N_q || N_p) of every dimension, nats; shapes broadcast.

    Gil, Alajaji & Linder, Inf Sci 2013, table 2. Order 1/2 gives the squared Hellinger distance,
    2 (1 - exp(-D/2)), order 2 Pearson's chi2, exp(D) - 1, each of the sum over dimensions.

    Raises:
        ValueError: the order is 1, is not above 0, or the integral does not converge.
    """
    mixed = order * torch.exp(logvar_p) + (1.0 - order) * torch.exp(logvar_q)
    if order <= 0 or order == 1.0 or bool((mixed <= 0).any()):
        raise ValueError(
            f"Renyi's divergence of order {order:g} does not exist for these densities"
        )
    shift = 0.5 * order * (mean_q - mean_p).square() / mixed
    spread = mixed.log() - (1.0 - order) * logvar_q - order * logvar_p
    return shift - 0.5 / (order - 1.0) * spread


def log_density(value: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(value; mean, exp logvar) of every dimension, nats (shapes broadcast)."""
    return -0.5 * (LOG_TWO_PI + logvar + (value - mean).square() * torch.exp(-logvar))


def entropy(logvar: Tensor) -> Tensor:
    """Differential entropy of N(., exp logvar) of every dimension, nats."""
    return 0.5 * (LOG_TWO_PI + 1.0 + logvar)


def free_bits(kl: Tensor, floor: float) -> Tensor:
    """KL with each group kept at or above `floor` nats: no gradient where a group is below.

    Kingma et al., arXiv 1606.04934, section C.8. `kl` (groups,) holds batch means.
    """
    return kl.clamp(min=floor)


def reparametrise(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """mean + sd * noise, all of one shape (Kingma & Welling, arXiv 1312.6114, section 2.4)."""
    return mean + torch.exp(0.5 * logvar) * noise


def sample(mean: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A reparametrised draw of N(mean, exp logvar), same shape as `mean`."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device="cpu")
    return reparametrise(mean, logvar, noise.to(mean.device))
