"""Is a Wasserstein critic 1-Lipschitz? With gradient penalty, spectral norm, or neither."""

import torch

from ctharmony.demonstration.mixtures import ring
from ctharmony.demonstration.play import Effort, fit_critic, new_critic
from ctharmony.model.critics import WASSERSTEIN, Samples
from ctharmony.model.honesty import lipschitz, not_lipschitz
from ctharmony.model.settings import Monitor

CONSTRAINTS = {
    "gradient penalty": ("penalty", 10.0),
    "spectral normalisation": ("spectral_norm", 0.0),
    "none": ("penalty", 0.0),
}
HELD_OUT = 4000


def constraint_row(name: str, effort: Effort, seed: int, how: Monitor) -> dict[str, object]:
    """A critic between a ring of Gaussians and N(0, I), judged on fresh interpolates.

    Returns constraint, seed, value, lipschitz, lipschitz_high, lipschitz_off, not_lipschitz.
    """
    target = ring()

    def noise(generator: torch.Generator, count: int) -> torch.Tensor:
        return torch.randn(count, 2, generator=generator)

    critic = new_critic(WASSERSTEIN, 2, effort.critic(*CONSTRAINTS[name]), seed)
    fit_critic(critic, target.draw, noise, effort, seed)
    generator = torch.Generator().manual_seed(seed + 10_000)
    held = Samples(target.draw(generator, HELD_OUT), noise(generator, HELD_OUT))
    if critic.network is not None:
        critic.network.eval()
    found = lipschitz(critic, held, generator)
    with torch.no_grad():
        value = float(critic.value(held, generator))
    row = {"constraint": name, "seed": seed, "value": value, **found}
    return row | {"not_lipschitz": not_lipschitz(found["lipschitz"], how)}


def constraints(effort: Effort, seeds: list[int], how: Monitor) -> list[dict[str, object]]:
    """`constraint_row` of every constraint and seed."""
    return [constraint_row(name, effort, seed, how) for name in CONSTRAINTS for seed in seeds]
