"""Critics and generators of the demonstrations: small, on vectors, each from a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ctharmony.model.critics import Critic, Samples, dense_network
from ctharmony.model.settings import CriticSettings

Draw = Callable[[torch.Generator, int], Tensor]
LAST_RATE = 0.05
BETAS = (0.5, 0.9)


@dataclass(frozen=True)
class Effort:
    """How long and how wide.

    Attributes:
        steps: of the generator, or of the critic where it plays alone.
        samples: of each side in a step; width: hidden units.
        critic_steps: of the critic per step of the generator.
        learning_rate: of Adam, both.
    """

    steps: int
    samples: int
    width: int
    critic_steps: int
    learning_rate: float

    def critic(self, lipschitz: str = "penalty", penalty_weight: float = 10.0) -> CriticSettings:
        """The same in the words of the model's critics."""
        return CriticSettings(
            width=self.width,
            steps=self.critic_steps,
            samples=self.samples,
            learning_rate=self.learning_rate,
            lipschitz=lipschitz,
            penalty_weight=penalty_weight,
            projections=64,
        )


def new_critic(name: str, inputs: int, how: CriticSettings, seed: int) -> Critic:
    """A critic on vectors whose first weights follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Critic(name, dense_network(inputs, 1, how.width), how)


def new_network(inputs: int, outputs: int, width: int, seed: int) -> nn.Module:
    """A generator or an encoder on vectors, from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dense_network(inputs, outputs, width)


def optimiser(parameters: list[Tensor], effort: Effort) -> torch.optim.Optimizer:
    """Adam as the critics have it."""
    return torch.optim.Adam(parameters, effort.learning_rate, betas=BETAS)


def slow_down(step: int, effort: Effort, *movers: torch.optim.Optimizer) -> None:
    """Learning rate of a step: half a cosine down to a twentieth."""
    share = 0.5 * (1.0 + math.cos(math.pi * step / effort.steps))
    for mover in movers:
        for group in mover.param_groups:
            group["lr"] = effort.learning_rate * (LAST_RATE + (1.0 - LAST_RATE) * share)


def fit_critic(critic: Critic, draw_p: Draw, draw_q: Draw, effort: Effort, seed: int) -> None:
    """The critic climbs alone on fresh samples of P and of Q."""
    generator = torch.Generator().manual_seed(seed)
    for step in range(effort.steps):
        if critic.network is not None:
            slow_down(step, effort, critic.optimizer)
        p, q = draw_p(generator, effort.samples), draw_q(generator, effort.samples)
        critic.ascend(Samples(p, q), generator)


def fit_generator(
    critic: Critic, make: Draw, parameters: list[Tensor], draw_p: Draw, effort: Effort, seed: int
) -> None:
    """Generator and critic in turns: `make` draws Q from `parameters`, `draw_p` the target.

    Raises:
        FloatingPointError: the generator's loss is not a number any more.
    """
    mover = optimiser(parameters, effort)
    generator = torch.Generator().manual_seed(seed)
    for step in range(effort.steps):
        slow_down(step, effort, mover)
        for _ in range(effort.critic_steps if critic.network is not None else 0):
            fresh = make(generator, effort.samples).detach()
            critic.climb(Samples(draw_p(generator, effort.samples), fresh), generator)
        samples = Samples(draw_p(generator, effort.samples), make(generator, effort.samples))
        loss = critic.loss(samples, generator)
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError(f"{critic.name}: the loss of step {step} is not a number")
        mover.zero_grad(set_to_none=True)
        loss.backward()
        mover.step()
