"""ELBO surgery: what the rate of a variational autoencoder is made of, in nats.

E[KL(q(z|x) || p(z))] = I_q(X; Z) + KL(q(z) || p(z))            (Hoffman & Johnson, 2016)
KL(q(z) || p(z)) = TC(q(z)) + sum_d KL(q(z_d) || p(z_d))        (Chen et al., arXiv 1802.04942)

q(z) = 1/N sum_n q(z|x_n) is known only through the N posteriors at hand. Bias of the estimators:
with all N posteriors I_q is that of the empirical distribution, and can never exceed log N: what
is true of the population may lie above. With a minibatch of M out of N the weighting 1/(N M) of
Chen et al. under-estimates every log q by at most log N (most where posteriors hardly overlap).
I_q then comes out too high by that much; in the total correlation the error of log q(z) and those
of the d terms log q(z_d) have opposite signs, so it may err by up to (d - 1) log N upwards.
"""

import math

import torch
from torch import Tensor

from ctharmony.information.gaussian import kl_diagonal, kl_standard, log_density, sample

PAIR_BLOCK = 128  # rows of the pairwise table held at once


def aggregate_log_density(
    z: Tensor, mean: Tensor, logvar: Tensor, dataset_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """log q(z) (n,) and log q(z_d) (n, d) of samples z (n, d) under posteriors (m, d), nats."""
    weight = math.log(len(mean)) + (math.log(dataset_size) if dataset_size else 0.0)
    joint, marginal = [], []
    for block in z.split(PAIR_BLOCK):
        table = log_density(block[:, None], mean[None], logvar[None])
        joint.append(table.sum(2).logsumexp(1) - weight)
        marginal.append(table.logsumexp(1) - weight)
    return torch.cat(joint), torch.cat(marginal)


def decompose(
    mean: Tensor,
    logvar: Tensor,
    prior: tuple[Tensor, Tensor] | None = None,
    draws: int = 16,
    seed: int = 0,
) -> dict[str, float]:
    """Split the rate of N posteriors (n, d); `prior` is (mean, logvar), broadcastable, or N(0, I).

    Returns nats: rate (closed form), rate_sampled, mutual_information, marginal_kl,
    total_correlation, dimension_kl (sum over dimensions), log_n (the cap of mutual_information).
    rate_sampled = mutual_information + marginal_kl and marginal_kl = total_correlation +
    dimension_kl hold to rounding, because all share their draws.
    """
    mean, logvar = mean.double(), logvar.double()
    prior_mean, prior_logvar = _prior(prior, mean)
    generator = torch.Generator().manual_seed(seed)
    many = mean.repeat(draws, 1), logvar.repeat(draws, 1)
    z = sample(*many, generator)
    conditional = log_density(z, *many).sum(1)
    prior_density = log_density(z, prior_mean.repeat(draws, 1), prior_logvar.repeat(draws, 1))
    joint, marginal = aggregate_log_density(z, mean, logvar)
    terms = {
        "rate": kl_diagonal(mean, logvar, prior_mean, prior_logvar).sum(1).mean(),
        "rate_sampled": (conditional - prior_density.sum(1)).mean(),
        "mutual_information": (conditional - joint).mean(),
        "marginal_kl": (joint - prior_density.sum(1)).mean(),
        "total_correlation": (joint - marginal.sum(1)).mean(),
        "dimension_kl": (marginal - prior_density).sum(1).mean(),
    }
    return {name: float(value) for name, value in terms.items()} | {"log_n": math.log(len(mean))}


def total_correlation_minibatch(
    mean: Tensor, logvar: Tensor, z: Tensor, dataset_size: int
) -> Tensor:
    """TC(q(z)) from a minibatch (m, d) by minibatch-weighted sampling, nats, differentiable.

    Chen et al., arXiv 1802.04942, equation 5. Its bias is stated at the top of this file.
    """
    joint, marginal = aggregate_log_density(z, mean, logvar, dataset_size)
    return (joint - marginal.sum(1)).mean()


def mutual_information_bounds(mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper bound of I_q(X; Z) of posteriors (m, d) without sampling, nats.

    Upper: mean pairwise KL. Lower: mean of -log mean_j exp(-Bhattacharyya(i, j)) (Kolchinsky &
    Tracey, Entropy 2017, for a mixture of equally weighted Gaussians).
    """
    spread = torch.logaddexp(logvar[:, None], logvar[None]) - math.log(2.0)
    gap = (mean[:, None] - mean[None]).square() * torch.exp(-spread)
    distance = (0.125 * gap + 0.5 * (spread - 0.5 * (logvar[:, None] + logvar[None]))).sum(2)
    lower = (math.log(len(mean)) - torch.logsumexp(-distance, 1)).mean()
    upper = kl_diagonal(mean[:, None], logvar[:, None], mean[None], logvar[None]).sum(2).mean()
    return lower, upper


def active_units(mean: Tensor, threshold: float = 0.01) -> int:
    """Dimensions whose posterior mean varies over scans by more than `threshold` (variance).

    Burda et al., arXiv 1509.00519, section 5.2; mean (n, d).
    """
    return int((mean.var(0, unbiased=False) > threshold).sum())


def dimension_rates(mean: Tensor, logvar: Tensor) -> Tensor:
    """Mean KL(q(z_d|x) || N(0, 1)) of every dimension (d,), nats."""
    return kl_standard(mean, logvar).mean(0)


def _prior(prior: tuple[Tensor, Tensor] | None, mean: Tensor) -> tuple[Tensor, Tensor]:
    if prior is None:
        return torch.zeros_like(mean), torch.zeros_like(mean)
    return prior[0].double().expand_as(mean), prior[1].double().expand_as(mean)
