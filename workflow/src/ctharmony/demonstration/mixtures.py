"""Do generators show every mode? One mode against two, a ring of 8 Gaussians, a grid of 25."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ctharmony.demonstration.play import Effort, fit_generator, new_critic, new_network
from ctharmony.information.coverage import density_coverage
from ctharmony.model.critics import CRITICS
from ctharmony.model.settings import Monitor

NOISE = 4  # dimensions that a generator starts from
JUDGED = 2000  # samples
NEAR = 3.0  # RMS radii of a mode (SD times the root of the dimensions) that belong to it
FAIR = 0.25  # share of its due that a captured mode gets at least
NEIGHBOURS = 10


@dataclass(frozen=True)
class Mixture:
    """Equal round Gaussians: centres (k, d) and their SD."""

    centres: Tensor
    sd: float

    def draw(self, generator: torch.Generator, count: int) -> Tensor:
        """(count, d) samples."""
        chosen = torch.randint(len(self.centres), (count,), generator=generator)
        noise = torch.randn(count, self.centres.shape[1], generator=generator)
        return self.centres[chosen] + self.sd * noise

    def captured(self, samples: Tensor) -> tuple[int, float]:
        """Modes that get a quarter of their due or more, and the share of samples near a mode."""
        apart, nearest = torch.cdist(samples, self.centres).min(1)
        near = apart < NEAR * self.sd * math.sqrt(self.centres.shape[1])
        counts = torch.bincount(nearest[near], minlength=len(self.centres))
        due = FAIR * len(samples) / len(self.centres)
        return int((counts >= due).sum()), float(near.double().mean())


def ring() -> Mixture:
    """8 Gaussians on a circle of radius 2."""
    angle = torch.arange(8) * (2.0 * math.pi / 8)
    return Mixture(2.0 * torch.stack([angle.cos(), angle.sin()], 1), 0.1)


def grid() -> Mixture:
    """25 Gaussians at the points of a square grid."""
    axis = torch.linspace(-2.0, 2.0, 5)
    return Mixture(torch.cartesian_prod(axis, axis), 0.1)


MIXTURES = {"ring": ring, "grid": grid}


def mode_row(
    mixture: str, name: str, effort: Effort, seed: int, how: Monitor
) -> tuple[dict[str, object], Tensor]:
    """A generator against a mixture by one objective: the row, and its samples for the figure.

    Row: mixture, divergence, seed, modes, of, near (share), density, coverage, modes_dropped,
    failed.
    """
    target = MIXTURES[mixture]()
    network = new_network(NOISE, 2, effort.width, 2 * seed + 1)
    critic = new_critic(name, 2, effort.critic(), 2 * seed)

    def make(generator: torch.Generator, count: int) -> Tensor:
        return 2.0 * network(torch.randn(count, NOISE, generator=generator))

    failed = False
    try:
        fit_generator(critic, make, list(network.parameters()), target.draw, effort, seed)
    except FloatingPointError:
        failed = True
    generator = torch.Generator().manual_seed(seed + 10_000)
    with torch.no_grad():
        samples = torch.nan_to_num(make(generator, JUDGED), 1e6).clamp(-1e6, 1e6)
    modes, near = target.captured(samples)
    density, coverage = density_coverage(target.draw(generator, JUDGED), samples, NEIGHBOURS)
    row = {"mixture": mixture, "divergence": name, "seed": seed, "modes": modes}
    row |= {"of": len(target.centres), "near": near, "density": density, "coverage": coverage}
    return row | {"modes_dropped": coverage < how.least_coverage, "failed": failed}, samples


def modes(
    mixture: str, effort: Effort, seeds: list[int], how: Monitor
) -> tuple[list[dict[str, object]], dict[str, Tensor]]:
    """Every divergence over the seeds; the samples are those of the first seed."""
    rows, shown = [], {}
    for name in CRITICS:
        for seed in seeds:
            row, samples = mode_row(mixture, name, effort, seed, how)
            rows.append(row)
            shown.setdefault(name, samples)
    return rows, shown


def single_mode(name: str, effort: Effort, seed: int) -> tuple[dict[str, object], Tensor, Tensor]:
    """A Gaussian of free mean and SD against two modes, -1.5 and 1.5: row, real, generated (n, 1).

    Row: divergence, seed, mean, sd, density, coverage.
    """
    target = Mixture(torch.tensor([[-1.5], [1.5]]), 0.4)
    place = torch.tensor([0.4, -0.25], requires_grad=True)  # half the mean, half the log SD

    def make(generator: torch.Generator, count: int) -> Tensor:
        mean, sd = 2.0 * place[0], (2.0 * place[1]).exp()
        return mean + sd * torch.randn(count, 1, generator=generator)

    critic = new_critic(name, 1, effort.critic(), seed)
    fit_generator(critic, make, [place], target.draw, effort, seed)
    generator = torch.Generator().manual_seed(seed + 10_000)
    with torch.no_grad():
        real, made = target.draw(generator, JUDGED), make(generator, 4 * JUDGED)
    density, coverage = density_coverage(real, made, NEIGHBOURS)
    mean, log_sd = (2.0 * place.detach()).tolist()
    row = {"divergence": name, "seed": seed, "mean": mean, "sd": math.exp(log_sd)}
    return row | {"density": density, "coverage": coverage}, real, made
