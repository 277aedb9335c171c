"""One critic for every divergence between samples of P and of Q that the config can name.

f-divergences play their variational bound (Nowozin et al., arXiv 1606.00709), `gan` among them is
the game of Goodfellow et al. (arXiv 1406.2661), whose generator may climb the log odds instead
(`gan_nonsaturating`). `wasserstein_gp` keeps its critic 1-Lipschitz by a gradient penalty
(Gulrajani et al., arXiv 1704.00028, equation 3) or by spectral normalisation (Miyato et al., arXiv
1802.05957). `sliced_wasserstein` needs no network.

Where P and Q are conditional on a site, the network has one output per site: P takes the output of
a sample's own site, Q the mean over all sites by their probability given the covariates. That is
the exact expectation over the product p(z|c) p(s|c), so D = 0 if and only if z and the site are
independent given the covariates c.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ctharmony.information.optimal_transport import sliced_wasserstein, unit_directions
from ctharmony.information.variational import (
    DIVERGENCES,
    js_of_critic,
    lower_bound,
    mean_gap,
    nonsaturating_loss,
)
from ctharmony.model.settings import CriticSettings

NONSATURATING, WASSERSTEIN, SLICED = "gan_nonsaturating", "wasserstein_gp", "sliced_wasserstein"
CRITICS = (*DIVERGENCES, NONSATURATING, WASSERSTEIN, SLICED)
BETAS = (0.5, 0.9)  # arXiv 1704.00028, algorithm 1
GRADIENT_NORM = 10.0  # conjugates with an exponential would else throw the critic far
SLOPE = 0.2
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Samples:
    """Samples of P and Q; conditional ones share their points and differ in the site.

    Attributes:
        p: (n, ...) and q: (m, ...) points.
        context: (n, k) covariates of both, or None.
        site: (n,) site of each point of P, or None where nothing is conditional.
        share: (m, sites) probability of each site given the covariates of each point of Q.
    """

    p: Tensor
    q: Tensor
    context: Tensor | None = None
    site: Tensor | None = None
    share: Tensor | None = None

    def detached(self) -> "Samples":
        """The same without a way back to the generator; points that P and Q share stay shared."""
        p = self.p.detach()
        return replace(self, p=p, q=p if self.q is self.p else self.q.detach())


def dense_network(inputs: int, outputs: int, width: int) -> nn.Module:
    """Two hidden layers on vectors (n, inputs): (n, outputs)."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(SLOPE),
        nn.Linear(width, width),
        nn.LeakyReLU(SLOPE),
        nn.Linear(width, outputs),
    )


def tile_network(side: int, width: int) -> nn.Module:
    """Two strided convolutions on tiles (n, 1, side, side), side divisible by 4: (n, 1)."""
    return nn.Sequential(
        nn.Conv2d(1, width // 2, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(width // 2, width, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
        nn.Linear(width * (side // 4) ** 2, 1),
    )


class Critic:
    """Plays the divergence `name`.

    Args:
        name: one of CRITICS; ValueError else.
        network: its network, None for sliced_wasserstein.
        how: steps, rates, constraint.
    """

    def __init__(self, name: str, network: nn.Module | None, how: CriticSettings) -> None:
        if name not in CRITICS:
            raise ValueError(f"divergence {name!r} is none of {', '.join(CRITICS)}")
        self.name, self.how = name, how
        self.network = None if name == SLICED else network
        if self.network is None:
            return
        if how.lipschitz == "spectral_norm":
            for layer in self.network:
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    spectral_norm(layer)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), how.learning_rate, betas=BETAS, fused=True
        )

    def value(self, samples: Samples, generator: torch.Generator) -> Tensor:
        """The estimate that the critic ascends: nats, or the samples' unit for Wasserstein."""
        if self.network is None:
            return self._sliced(samples, generator)
        return self._objective(*self.scores(samples))

    def loss(self, samples: Samples, generator: torch.Generator) -> Tensor:
        """What the generator of the samples descends; the critic's weights get no gradient."""
        if self.network is None:
            return self._sliced(samples, generator)
        self.network.requires_grad_(False)
        raw = self.scores(samples)
        self.network.requires_grad_(True)
        return nonsaturating_loss(*raw) if self.name == NONSATURATING else self._objective(*raw)

    def js(self, samples: Samples) -> Tensor:
        """What the critic says of JS, nats; NaN where it tells no density ratio."""
        if self.network is None or self.name == WASSERSTEIN:
            return torch.full((), torch.nan)
        return js_of_critic(self._divergence(), *self.scores(samples))

    def ascend(self, samples: Samples, generator: torch.Generator) -> None:
        """`how.steps` steps of the critic on the same samples."""
        for _ in range(self.how.steps if self.network is not None else 0):
            self.climb(samples, generator)

    def climb(self, samples: Samples, generator: torch.Generator) -> None:
        """One step of the critic; one with a gradient that is not finite is skipped."""
        samples = samples.detached()
        loss = -self._objective(*self.scores(samples))
        if self.name == WASSERSTEIN and self.how.lipschitz == "penalty":
            slopes = self.slopes(*interpolates(samples, generator, inside=True))
            loss = loss + self.how.penalty_weight * (slopes - 1.0).square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        if torch.isfinite(norm):
            self.optimizer.step()

    def slopes(
        self, points: Tensor, context: Tensor | None, site: Tensor | None, kept: bool = True
    ) -> Tensor:
        """(n,) norm of the critic's gradient at points (n, ...); `kept`: differentiable."""
        points = points.detach().requires_grad_()
        raw = self._raw(points, context)
        raw = raw if site is None else raw.gather(1, site[:, None])
        (slope,) = torch.autograd.grad(raw.sum(), points, create_graph=kept)
        return slope.flatten(1).square().sum(1).clamp(min=1e-24).sqrt()

    def scores(self, samples: Samples) -> tuple[Tensor, Tensor, Tensor | None]:
        """Raw outputs on P and on Q, and the weights of the latter."""
        on_p = self._raw(samples.p, samples.context)
        if samples.site is None:
            return on_p, self._raw(samples.q, samples.context), None
        on_q = on_p if samples.q is samples.p else self._raw(samples.q, samples.context)
        own = on_p.gather(1, samples.site[:, None])
        return own, on_q, samples.share / len(samples.share)

    def state(self) -> dict[str, Any]:
        """Weights and the optimiser's state, as plain containers of copied tensors."""
        if self.network is None:
            return {}
        weights = {name: value.clone() for name, value in self.network.state_dict().items()}
        return {"network": weights, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        if self.network is not None:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])

    def _divergence(self) -> str:
        return "gan" if self.name == NONSATURATING else self.name

    def _objective(self, raw_p: Tensor, raw_q: Tensor, weight: Tensor | None) -> Tensor:
        if self.name == WASSERSTEIN:
            return mean_gap(raw_p, raw_q, weight)
        return lower_bound(self._divergence(), raw_p, raw_q, weight)

    def _raw(self, points: Tensor, context: Tensor | None) -> Tensor:
        if context is not None:
            points = torch.cat([points, context], dim=1)
        return self.network(points)

    def _sliced(self, samples: Samples, generator: torch.Generator) -> Tensor:
        """Over sites: the mean distance between a site's points and all of them.

        Each site's points are weighted by 1/p(site|covariates), and the covariates take part as
        coordinates, so that equal weighted samples mean p(z|c, site) = p(z|c).
        """
        p, q = samples.p.flatten(1), samples.q.flatten(1)
        if samples.context is not None:
            p, q = torch.cat([p, samples.context], 1), torch.cat([q, samples.context], 1)
        directions = unit_directions(p.shape[1], self.how.projections, generator).to(p)
        if samples.site is None:
            return sliced_wasserstein(p, q, directions)
        gaps = []
        for site in samples.site.unique().tolist():
            own = samples.site == site
            weight = 1.0 / samples.share[own, site]
            even = torch.full_like(q[:, 0], 1.0 / len(q))
            weights = (weight / weight.sum(), even)
            gaps.append(sliced_wasserstein(p[own], q, directions, weights))
        return torch.stack(gaps).mean()


def interpolates(
    samples: Samples, generator: torch.Generator, inside: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Points on the lines between samples of P and of Q, with their context and site.

    `inside` the pairs, where the gradient penalty holds the critic, or beyond their ends by up to
    one length of the line, where nothing does.
    """
    count = min(len(samples.p), len(samples.q))
    other = torch.randperm(len(samples.q), generator=generator)[:count].to(samples.q.device)
    place = torch.rand(count, generator=generator)
    if not inside:
        place = torch.where(place < 0.5, -2.0 * place, 2.0 * place)
    place = place.to(samples.p).reshape(-1, *[1] * (samples.p.dim() - 1))
    points = samples.p[:count] + place * (samples.q[other] - samples.p[:count])
    context = None if samples.context is None else samples.context[:count]
    return points.detach(), context, None if samples.site is None else samples.site[:count]
