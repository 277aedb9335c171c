"""Disjoint supports: where JS has nothing more to say and Wasserstein has."""

import torch

from ctharmony.demonstration.play import Effort, fit_critic, new_critic
from ctharmony.information.discrete import js
from ctharmony.information.optimal_transport import wasserstein_exact
from ctharmony.model.critics import WASSERSTEIN, Samples
from ctharmony.model.honesty import generator_gradient, saturated
from ctharmony.model.settings import Monitor

COUNT = 400  # points of each line


def lines(theta: float, generator: torch.Generator, count: int) -> tuple[torch.Tensor, ...]:
    """Two parallel segments of length 1, `theta` apart (Arjovsky et al., 1701.07875, example 1)."""
    up = torch.rand(2, count, generator=generator)
    return torch.stack([0 * up[0], up[0]], 1), torch.stack([0 * up[1] + theta, up[1]], 1)


def support_row(
    name: str, theta: float, effort: Effort, seed: int, how: Monitor
) -> dict[str, object]:
    """One critic between the lines at distance `theta`, judged on fresh points.

    Returns divergence, theta, value, slope (mean of d value / d theta), js_nats (the critic's),
    js_exact, wasserstein_exact, generator_gradient, saturated.
    """
    critic = new_critic(name, 2, effort.critic(), seed)
    draws = [lambda g, n, side=side: lines(theta, g, n)[side] for side in (0, 1)]
    fit_critic(critic, *draws, effort, seed)
    generator = torch.Generator().manual_seed(seed + 10_000)
    p, q = lines(theta, generator, COUNT)
    moved = torch.tensor(0.0, requires_grad=True)
    shifted = q + torch.stack([moved, torch.zeros(())])
    value = critic.value(Samples(p, shifted), generator)
    (slope,) = torch.autograd.grad(value, moved)
    samples = Samples(p, q)
    gradient = generator_gradient(critic, samples, generator)
    with torch.no_grad():
        told = float("nan") if name == WASSERSTEIN else float(critic.js(samples))
    same = torch.stack([torch.zeros(COUNT), p[:, 1]], 1)
    beside = same + torch.tensor([theta, 0.0])
    return {
        "divergence": name,
        "theta": theta,
        "value": float(value.detach()),
        "slope": float(slope),
        "js_nats": told,
        "js_exact": js(*_histograms(theta)),
        "wasserstein_exact": wasserstein_exact(same, beside),
        "generator_gradient": gradient,
        "saturated": saturated(told, gradient, how),
    }


def _histograms(theta: float) -> tuple[list[float], list[float]]:
    """The lines as histograms over two places, one at 0 and one at theta."""
    return [1.0, 0.0], ([1.0, 0.0] if theta == 0 else [0.0, 1.0])


def supports(
    names: list[str], thetas: list[float], effort: Effort, seed: int, how: Monitor
) -> list[dict[str, object]]:
    """`support_row` of every name at every distance."""
    return [support_row(name, theta, effort, seed, how) for name in names for theta in thetas]
