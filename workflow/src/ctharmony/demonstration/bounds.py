"""Each variational bound against its closed form for Gaussians, and the parts of a rate."""

import math

import numpy as np
import torch

from ctharmony.demonstration.play import Draw, Effort, fit_critic, new_critic
from ctharmony.information.gaussian import kl_standard, log_density, renyi_diagonal
from ctharmony.information.variational import DIVERGENCES, divergence, lower_bound
from ctharmony.model.critics import Samples

Z95 = 1.959964
LIMIT, POINTS = 14.0, 40_001  # quadrature
PARTS = 20  # of the held-out samples; their spread gives the interval


def closed_form(name: str, shift: float) -> float:
    """D(N(m, I) || N(0, I)) with |m| = shift, in any dimension.

    Pearson's chi2 and the squared Hellinger distance follow from Renyi's divergence; the others
    depend on the axis of the shift alone and are integrated along it.
    """
    at, zero = torch.tensor(shift, dtype=torch.double), torch.zeros((), dtype=torch.double)
    if name == "pearson":
        return math.expm1(float(renyi_diagonal(at, zero, zero, zero, 2.0)))
    if name == "hellinger":
        return -2.0 * math.expm1(-0.5 * float(renyi_diagonal(at, zero, zero, zero, 0.5)))
    x = torch.linspace(-LIMIT, LIMIT + shift, POINTS, dtype=torch.double)
    log_q = log_density(x, zero, zero)
    ratio = torch.exp(log_density(x, at, zero) - log_q)
    return float((log_q.exp() * divergence(name).generator(ratio)).sum() * (x[1] - x[0]))


def bound_row(
    name: str, dimensions: int, shift: float, held_out: int, effort: Effort, seed: int
) -> dict[str, object]:
    """Train one critic on fresh samples and judge it on `held_out` others.

    Returns divergence, dimensions, closed_form, value, ci_low, ci_high (95%), share of the closed
    form, n.
    """
    draw_p, draw_q = _gaussians(dimensions, shift)
    critic = new_critic(name, dimensions, effort.critic(), seed)
    fit_critic(critic, draw_p, draw_q, effort, seed)
    generator = torch.Generator().manual_seed(seed + 10_000)
    with torch.no_grad():
        pairs = [
            critic.scores(Samples(draw_p(generator, count), draw_q(generator, count)))[:2]
            for count in [held_out // PARTS] * PARTS
        ]
        values = np.array([float(lower_bound(name, *(raw.double() for raw in p))) for p in pairs])
    exact, error = closed_form(name, shift), Z95 * values.std(ddof=1) / math.sqrt(PARTS)
    value = float(values.mean())
    return {
        "divergence": name,
        "dimensions": dimensions,
        "closed_form": exact,
        "value": value,
        "ci_low": value - error,
        "ci_high": value + error,
        "share": value / exact,
        "n": held_out,
    }


def _gaussians(dimensions: int, shift: float) -> tuple[Draw, Draw]:
    mean = torch.full((dimensions,), shift / math.sqrt(dimensions))

    def draw_p(generator: torch.Generator, count: int) -> torch.Tensor:
        return mean + torch.randn(count, dimensions, generator=generator)

    def draw_q(generator: torch.Generator, count: int) -> torch.Tensor:
        return torch.randn(count, dimensions, generator=generator)

    return draw_p, draw_q


def bounds(
    dimensions: list[int], shift: float, held_out: int, effort: Effort, seed: int
) -> list[dict[str, object]]:
    """`bound_row` of every f-divergence in every dimension."""
    return [
        bound_row(name, count, shift, held_out, effort, seed + number)
        for number, name in enumerate(DIVERGENCES)
        for count in dimensions
    ]


def rate_parts(gain: float, noise_sd: float) -> dict[str, float]:
    """I(X;Z), KL(q(z) || p(z)) and E KL(q(z|x) || p(z)) of a linear Gaussian encoder, nats.

    x ~ N(0, 1), q(z|x) = N(gain x, noise_sd^2), p(z) = N(0, 1): all exact, so that the first two
    add up to the third (Hoffman & Johnson 2016).
    """
    noise, total = noise_sd**2, gain**2 + noise_sd**2
    zero = torch.zeros((), dtype=torch.double)
    marginal = float(kl_standard(zero, torch.tensor(math.log(total), dtype=torch.double)))
    # the KL to the prior is quadratic in x, so its mean over x is exact at two points, x = -1, 1
    logvar = torch.full((2,), math.log(noise), dtype=torch.double)
    rate = kl_standard(gain * torch.tensor([-1.0, 1.0], dtype=torch.double), logvar).mean()
    return {
        "mutual_information": 0.5 * math.log(total / noise),
        "marginal_kl": marginal,
        "rate": float(rate),
    }
