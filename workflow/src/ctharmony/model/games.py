"""The divergences that take part in training: invariance of z_b, realism of decoded patches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ctharmony.model import invariance
from ctharmony.model.conditioning import Conditioning
from ctharmony.model.critics import (
    CRITICS,
    SLICED,
    WASSERSTEIN,
    Critic,
    Samples,
    dense_network,
    tile_network,
)
from ctharmony.model.objective import SD_UNIT_HU, ramp
from ctharmony.model.sampling import PatchSource, stream_rng
from ctharmony.model.settings import Settings
from ctharmony.model.vae import Batch, Outcome

TILE = 16  # pixels of the common grid
LOWPASS = 5  # pixels of the box whose mean a residual lies around
Gather = Callable[[Tensor], Tensor]
View = Callable[[Batch, Outcome, torch.Generator], Samples | None]


class Games:
    """The critics of one training run, by place: `invariance`, `realism`.

    Terms are in nats per patch as all others of the objective: the divergence of one place of z_b
    (of one tile) times the places of a patch. Estimates are per place (per tile).
    """

    def __init__(self, settings: Settings, source: PatchSource, seed: int) -> None:
        self.settings, self.seed = settings, seed
        sites = int(source.site.max()) + 1
        self.conditioning = Conditioning(source.covariates, source.site, sites)
        self.critics: dict[str, Critic] = {}
        self.views: dict[str, View] = {"invariance": self._latents, "realism": self._tiles}
        self.weights = {"invariance": settings.invariance, "realism": settings.realism}
        how, name = settings.critics, settings.invariance.divergence
        self.penalty = None if name in CRITICS else invariance.penalty(name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            if name in CRITICS:
                inputs = 2 * settings.network.biology_channels + source.covariates.shape[1]
                network = dense_network(inputs, sites, how.width)
                self.critics["invariance"] = Critic(name, network, how)
            if settings.realism.divergence != "none":
                network = tile_network(TILE, how.width)
                self.critics["realism"] = Critic(settings.realism.divergence, network, how)

    def to(self, device: torch.device) -> "Games":
        """Move the critics; before the first step."""
        for critic in self.critics.values():
            if critic.network is not None:
                critic.network.to(device)
        return self

    def terms(
        self, batch: Batch, outcome: Outcome, step: int, gather: Gather = lambda rows: rows
    ) -> dict[str, Tensor]:
        """Terms of the objective and estimates of one step; the critics climb first.

        The estimates are the critic's on a batch that it has not climbed on yet; a batch without
        a scan of a real scanner counts as 0. `gather` brings the rows of all processes together,
        so that each of them trains the same critic.
        """
        batch, outcome = _gathered(batch, outcome, gather)
        found: dict[str, Tensor] = {}
        if self.penalty is not None:
            site = batch.site.repeat_interleave(len(outcome.image) // len(batch.site))
            found["invariance"] = self.penalty(*outcome.z_b[:2], site)
            found[f"invariance_{self.settings.invariance.divergence}"] = found["invariance"]
        for place, critic in self.critics.items():
            generator = self.generator(step, place)
            samples = self.views[place](batch, outcome, generator)
            if samples is None:
                nothing = outcome.image.new_zeros(())
                found |= dict.fromkeys((place, *self.told(place)), nothing)
                continue
            with torch.no_grad():
                found |= self.estimates(place, samples, generator)
            critic.ascend(samples, generator)
            found[place] = self._places(place, outcome) * critic.loss(samples, generator)
        return found

    def estimates(
        self, place: str, samples: Samples, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The divergence under its name, and what its critic says of JS (nats)."""
        critic = self.critics[place]
        found = {f"{place}_js": critic.js(samples)}
        found[f"{place}_{critic.name}"] = critic.value(samples, generator)
        return {name: found[name] for name in self.told(place)}

    def told(self, place: str) -> list[str]:
        """Names of the estimates: the divergence's own, and JS where the critic tells it."""
        name = self.critics[place].name
        names = [] if name in (SLICED, WASSERSTEIN, "tv") else [f"{place}_js"]
        return list(dict.fromkeys([*names, f"{place}_{name}"]))

    def ramped(self, step: int) -> dict[str, float]:
        """Weight of each place's term at a step."""
        steps = self.settings.training.steps
        return {
            place: how.weight * ramp(steps, how.ramp_share)(step)
            for place, how in self.weights.items()
        }

    def state(self) -> dict[str, Any]:
        """Weights and optimisers of all critics, for a checkpoint."""
        return {place: critic.state() for place, critic in self.critics.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        for place, critic in self.critics.items():
            critic.restore(state[place])

    def generator(self, step: int, place: str) -> torch.Generator:
        """The random numbers of one step of one critic."""
        offset = list(self.views).index(place)
        value = stream_rng(self.seed, len(self.views) * step + offset, "critics").integers(2**62)
        return torch.Generator().manual_seed(int(value))

    def _latents(
        self, batch: Batch, outcome: Outcome, generator: torch.Generator
    ) -> Samples | None:
        """Places of drawn z_b beside their patch's mean, of the scans of real scanners."""
        real = batch.site >= 0
        if not bool(real.any()):
            return None
        draw = outcome.z_b[2].float()
        patches = len(draw) // len(real)
        whole = draw.mean((2, 3), keepdim=True).expand_as(draw)
        places = torch.cat([draw, whole], 1).permute(0, 2, 3, 1).flatten(1, 2)
        per_scan = patches * places.shape[1]
        points = places.flatten(0, 1)
        owner = torch.arange(len(real), device=points.device).repeat_interleave(per_scan)
        chosen = _some(int(real[owner].sum()), self.settings.critics.samples, generator)
        chosen = real[owner].nonzero().flatten()[chosen.to(points.device)]
        points, owner = points[chosen], owner[chosen]
        context = self.conditioning.context(batch.covariates)[owner]
        share = self.conditioning.share(batch.covariates)[owner]
        return Samples(points, points, context, batch.site[owner], share)

    def _tiles(self, batch: Batch, outcome: Outcome, generator: torch.Generator) -> Samples:
        """Residuals of the scan and of a decoded draw around the decoded mean's low pass.

        They are squashed, so that a metal streak does not rule the critic: asinh of multiples of
        SD_UNIT_HU.
        """
        low = torch.nn.functional.avg_pool2d(
            outcome.mean.detach()[:, None], LOWPASS, 1, LOWPASS // 2, count_include_pad=False
        )
        noise = torch.randn(outcome.mean.shape, generator=generator).to(outcome.mean)
        drawn = outcome.mean + torch.exp(outcome.log_sd) * noise
        pair = torch.stack([outcome.image, drawn], 1) - low
        tiles = torch.asinh(pair / SD_UNIT_HU).unfold(2, TILE, TILE).unfold(3, TILE, TILE)
        tiles = tiles.transpose(1, 3).flatten(0, 2)
        chosen = _some(len(tiles), self.settings.critics.samples, generator).to(tiles.device)
        return Samples(tiles[chosen, :1], tiles[chosen, 1:])

    def _places(self, place: str, outcome: Outcome) -> float:
        if place == "realism":
            return outcome.image[0].numel() / TILE**2
        return float(outcome.z_b[0][0, 0].numel())


def _some(count: int, most: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator)[:most]


def _gathered(batch: Batch, outcome: Outcome, gather: Gather) -> tuple[Batch, Outcome]:
    """What the games look at, of all processes; the rest stays each process's own."""
    batch = replace(batch, site=gather(batch.site), covariates=gather(batch.covariates))
    shown = {name: gather(getattr(outcome, name)) for name in ("image", "mean", "log_sd")}
    z_b = tuple(gather(part) for part in outcome.z_b)
    return batch, replace(outcome, z_b=z_b, **shown)
