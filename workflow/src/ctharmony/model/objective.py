"""The objective, as a sum of named terms, every one in nats per patch before its weight."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ctharmony.information.elbo import mutual_information_bounds
from ctharmony.information.gaussian import free_bits, kl_diagonal, kl_standard, log_density
from ctharmony.model.settings import Objective
from ctharmony.model.vae import Batch, FactorisedVAE, Outcome

SD_UNIT_HU = 20.0


def reconstruction(outcome: Outcome) -> Tensor:
    """-log N(x; mean, sd^2), summed over pixels, mean over patches (HU densities).

    The value is the likelihood's; the gradient of the mean is multiplied by sd / SD_UNIT_HU, so
    that a pixel does not stop learning because its SD has grown to excuse it (Seitzer et al.,
    arXiv 2203.09168, beta = 1/2).
    """
    share = torch.exp(outcome.log_sd.detach()) / SD_UNIT_HU
    fixed = outcome.mean.detach()
    mean = fixed + share * (outcome.mean - fixed)
    density = log_density(outcome.image, mean, 2.0 * outcome.log_sd)
    return -density.sum((1, 2)).mean()


def spectrum(outcome: Outcome) -> Tensor:
    """Whittle's -log likelihood of the noise periodogram, mean over patches.

    sum_f n_f (P_f / S_f + log S_f) with n_f independent coefficients (Whittle 1953).
    """
    ratio = outcome.power * torch.exp(-outcome.log_spectrum)
    return (outcome.counts * (ratio + outcome.log_spectrum)).sum(1).mean()


def anchors(outcome: Outcome, measured: Tensor, sd: Tensor) -> Tensor:
    """-log N(measured tissue HU; the curve's, sd^2), sum over seen tissues, mean over scans."""
    seen = torch.isfinite(measured)
    value = torch.where(seen, measured, outcome.knots.detach())
    density = log_density(value, outcome.knots, 2.0 * sd.log().expand_as(value))
    return -(density * seen).sum(1).mean()


def biology_rate(outcome: Outcome) -> Tensor:
    """KL(q(z_b|x) || N(0, I)) of every channel (c,): summed over places, mean over patches."""
    mean, logvar, _ = outcome.z_b
    return kl_standard(mean, logvar).sum((2, 3)).mean(0)


def scanner_rate(outcome: Outcome, prior: tuple[Tensor, Tensor]) -> Tensor:
    """KL(q(z_s|x) || p(z_s|site)) of every dimension (d,), mean over scans."""
    mean, logvar, _ = outcome.z_s
    return kl_diagonal(mean, logvar, *prior).mean(0)


def terms(
    model: FactorisedVAE,
    outcome: Outcome,
    batch: Batch,
    weights: Objective,
    gather: Callable[[Tensor], Tensor] = lambda rows: rows,
) -> dict[str, Tensor]:
    """All terms but invariance and twins, unweighted, in nats; z_s terms are per scan.

    `gather` brings in the rows of the other processes where a term compares scans.
    """
    # free bits are a floor under the whole batch's mean, not under each process's
    rate_b = gather(biology_rate(outcome)[None]).mean(0)
    rate_s = gather(scanner_rate(outcome, model.priors(batch.site))[None]).mean(0)
    lower, _ = mutual_information_bounds(*map(gather, outcome.z_s[:2]))
    return {
        "reconstruction": reconstruction(outcome),
        "spectrum": spectrum(outcome),
        "anchors": anchors(outcome, batch.anchors, model.head.reach),
        "rate_biology": rate_b.sum(),
        "rate_scanner": rate_s.sum(),
        "rate_biology_free": free_bits(rate_b, weights.free_bits_biology).sum(),
        "rate_scanner_free": free_bits(rate_s, weights.free_bits_scanner).sum(),
        "information_scanner": lower,
        "hyperprior": model.priors.hyper_penalty(),
    }


def weighted(
    parts: dict[str, Tensor], weights: Objective, ramped: Mapping[str, float], warm: float
) -> Tensor:
    """The loss: `warm` (0..1) scales both rates, `ramped` are the games' weights at this step."""
    factors: dict[str, float] = {
        "reconstruction": 1.0,
        "spectrum": weights.spectrum,
        "anchors": weights.anchors,
        "rate_biology_free": warm * weights.beta_biology,
        "rate_scanner_free": warm * weights.beta_scanner,
        "information_scanner": -weights.mutual_information,
        "hyperprior": 1.0,
        "twins": weights.twins,
        **ramped,
    }
    return sum(factors[name] * value for name, value in parts.items() if name in factors)


Ramp = Callable[[int], float]


def ramp(steps: int, share: float) -> Ramp:
    """Linear from 0 to 1 over the first `share` of `steps`."""
    length = max(1.0, share * steps)
    return lambda step: min(1.0, (step + 1) / length)
