"""How far a critic's number can be trusted: saturation, Lipschitz constant, over-fitting, modes.

Judged on held-out scans every epoch and kept in the history; the words of the last epoch go into
the model card.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ctharmony.information.coverage import density_coverage
from ctharmony.information.variational import LOG_TWO
from ctharmony.model.critics import SLICED, WASSERSTEIN, Critic, Samples, interpolates
from ctharmony.model.games import Games
from ctharmony.model.settings import Monitor
from ctharmony.model.units import term_unit
from ctharmony.model.vae import Batch, Outcome

SATURATED, NOT_LIPSCHITZ, SLACK = "saturated", "not 1-Lipschitz", "critic understates"
OVERFITTED, MODES_DROPPED = "critic over-fitted", "modes dropped"
NEIGHBOURS = 5  # Naeem et al., arXiv 2002.09797; equal distributions then have a coverage of 0.97
MOST_TILES = 512
POOLED = 4  # numbers per side that stand for a decoded patch's content


def generator_gradient(critic: Critic, samples: Samples, generator: torch.Generator) -> float:
    """Mean norm of the generator's gradient per sample, times the samples' SD: nats per SD.

    With samples of P and Q in one tensor both count, else those of Q, which the generator makes.
    """
    moving = samples.q.detach().requires_grad_()
    shared = samples.q is samples.p
    given = Samples(moving if shared else samples.p.detach(), moving, *_conditions(samples))
    (slope,) = torch.autograd.grad(critic.loss(given, generator), moving)
    norms = slope.flatten(1).norm(dim=1) * len(moving)
    spread = torch.cat([samples.p.detach(), moving.detach()]).flatten(1).std(0)
    return float(norms.mean() * spread.square().mean().sqrt())


def lipschitz(critic: Critic, samples: Samples, generator: torch.Generator) -> dict[str, float]:
    """Gradient norms of the critic, on the penalty's support and off it.

    `lipschitz`: their root mean square between samples of P and Q; `lipschitz_high`: their 95th
    percentile there; `lipschitz_off`: the root mean square beyond the samples, where nothing
    holds the critic.
    """
    samples = samples.detached()
    on = critic.slopes(*interpolates(samples, generator, inside=True), kept=False)
    off = critic.slopes(*interpolates(samples, generator, inside=False), kept=False)
    return {
        "lipschitz": float(on.square().mean().sqrt()),
        "lipschitz_high": float(on.quantile(0.95)),
        "lipschitz_off": float(off.square().mean().sqrt()),
    }


def saturated(js_nats: float, gradient: float, how: Monitor) -> bool:
    """JS near its ceiling log 2 and the generator's gradient vanished."""
    near = js_nats >= (1.0 - how.near_ceiling) * LOG_TWO
    return near and gradient < how.vanished_gradient


def not_lipschitz(constant: float, how: Monitor) -> bool:
    """A Wasserstein critic steeper than 1 by more than the tolerance: its value is no distance."""
    return not constant <= 1.0 + how.lipschitz_tolerance


def slack(constant: float, how: Monitor) -> bool:
    """A Wasserstein critic flatter than 1 by more than the tolerance understates the distance."""
    return constant < 1.0 - how.lipschitz_tolerance


def overfitted(train: float, held_out: float, how: Monitor) -> bool:
    """The bound on training samples exceeds the one on held-out samples by a share of itself."""
    return train - held_out > max(how.overfit_least, how.overfit_share * abs(train))


class Watch:
    """Gathers what the games see of the held-out scans, batch by batch; then judges.

    Args:
        games: the run's critics.
    """

    def __init__(self, games: Games) -> None:
        self.games = games
        self.seen: dict[str, list[dict[str, float]]] = {place: [] for place in games.critics}
        self.contents: list[Tensor] = []
        self.generator = torch.Generator().manual_seed(games.seed)

    def __call__(self, batch: Batch, outcome: Outcome) -> None:
        """Measure one batch; nothing of the model or the critics changes."""
        with torch.enable_grad():
            for place, critic in self.games.critics.items():
                samples = self.games.views[place](batch, outcome, self.generator)
                if samples is not None:
                    self.seen[place].append(self._measures(place, critic, samples.detached()))
        pair = torch.stack([outcome.image, outcome.mean]).clamp(-1100.0, 1500.0)
        self.contents.append(torch.nn.functional.adaptive_avg_pool2d(pair, POOLED).flatten(2).cpu())

    def rows(self, epoch: int) -> list[dict[str, Any]]:
        """History rows (epoch, term, split, value, unit) of the held-out scans."""
        values = {
            f"{place}_{name}": sum(row[name] for row in rows) / len(rows)
            for place, rows in self.seen.items()
            if rows
            for name in rows[0]
        }
        real, decoded = torch.cat(self.contents, dim=1)[:, :MOST_TILES]
        if len(real) > NEIGHBOURS:
            found = density_coverage(real, decoded, NEIGHBOURS)
            values |= dict(zip(("decoded_density", "decoded_coverage"), found, strict=True))
        return [
            {
                "epoch": epoch,
                "term": n,
                "split": "validation",
                "value": v,
                "unit": term_unit(n, values),
            }
            for n, v in values.items()
        ]

    def _measures(self, place: str, critic: Critic, samples: Samples) -> dict[str, float]:
        if critic.network is not None:
            critic.network.eval()  # spectral normalisation would else take a step here
        with torch.no_grad():
            told = self.games.estimates(place, samples, self.generator)
        found = {name.removeprefix(f"{place}_"): float(value) for name, value in told.items()}
        found["generator_gradient"] = generator_gradient(critic, samples, self.generator)
        if critic.network is not None:
            found |= lipschitz(critic, samples, self.generator)
            critic.network.train()
        return found


def findings(
    history: Iterable[Mapping[str, Any]], divergences: Mapping[str, str], how: Monitor
) -> list[str]:
    """Words for what the last epoch's rows show amiss, such as `invariance: saturated`.

    Args:
        history: rows of a whole run.
        divergences: place -> name of its divergence.
        how: from where on something is amiss.
    """
    rows = list(history)
    last = max((row["epoch"] for row in rows), default=0)
    values = {(r["split"], r["term"]): r["value"] for r in rows if r["epoch"] == last}
    found = []
    for place, name in divergences.items():
        held = {
            term.removeprefix(f"{place}_"): value
            for (split, term), value in values.items()
            if split == "validation" and term.startswith(f"{place}_")
        }
        if "generator_gradient" not in held:
            continue
        if saturated(held.get("js", math.nan), held["generator_gradient"], how):
            found.append(f"{place}: {SATURATED}")
        if name == WASSERSTEIN and not_lipschitz(held["lipschitz"], how):
            found.append(f"{place}: {NOT_LIPSCHITZ}")
        if name == WASSERSTEIN and slack(held["lipschitz"], how):
            found.append(f"{place}: {SLACK}")
        trained = values.get(("train", f"{place}_{name}"), math.nan)
        if name != SLICED and overfitted(trained, held[name], how):
            found.append(f"{place}: {OVERFITTED}")
    if values.get(("validation", "decoded_coverage"), 1.0) < how.least_coverage:
        found.append(f"decoded patches: {MODES_DROPPED}")
    return found


def _conditions(samples: Samples) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    return samples.context, samples.site, samples.share
