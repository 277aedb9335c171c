"""The invariance problem with a known answer: what should z lose, and what should it keep?

A patient's severity c decides both which of three sites he comes to and part of his biology
b = (c + noise, another trait); a site's scanner adds n ~ N(offset, gain^2). Observed is a fixed
nonlinear mixture of (b, n). An encoder that keeps all of b and nothing of the site is possible,
and its z is independent of the site given c, but not without c: there the sites differ in
patients. Judged on patients whose site was drawn by lot, so that every trace of the site is the
scanner's.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from torch import Tensor

from ctharmony.demonstration.play import Effort, new_network, optimiser, slow_down
from ctharmony.information.gaussian import kl_standard, log_density, sample
from ctharmony.model.conditioning import Conditioning
from ctharmony.model.critics import CRITICS, Critic, Samples, dense_network
from ctharmony.model.invariance import DIVERGENCES as CLOSED
from ctharmony.model.invariance import penalty

SITES, LATENTS, OBSERVED = 3, 4, 16
OBSERVED_SD = 0.2
JUDGED, TREES = 1500, 40
WITHOUT = "js without covariates"
RATE_WEIGHT = 0.3


@dataclass(frozen=True)
class Patients:
    """x (n, 16), site (n,), covariate (n, 1), biology (n, 2)."""

    x: Tensor
    site: Tensor
    covariate: Tensor
    biology: Tensor


def patients(count: int, by_lot: bool, seed: int) -> Patients:
    """Simulated patients; `by_lot` the site does not depend on their severity."""
    generator = torch.Generator().manual_seed(seed)
    severity, noise = torch.randn(2, count, generator=generator)
    pull = torch.tensor([-1.2, 0.0, 1.2])
    logits = torch.zeros(count, SITES) if by_lot else severity[:, None] * pull
    site = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    other = torch.randn(count, generator=generator)
    biology = torch.stack([0.9 * severity + 0.44 * noise, other], 1)
    offset, gain = torch.tensor([-1.5, 0.0, 1.5]), torch.tensor([0.3, 1.0, 0.3])
    scanner = offset[site] + gain[site] * torch.randn(count, generator=generator)
    mixing = torch.Generator().manual_seed(7)  # the same world for every seed
    first = torch.randn(3, OBSERVED, generator=mixing)
    clean = torch.tanh(0.6 * torch.cat([biology, scanner[:, None]], 1) @ first)
    x = clean + OBSERVED_SD * torch.randn(count, OBSERVED, generator=generator)
    return Patients(x, site, severity[:, None], biology)


class Encoding:
    """Encoder, decoder given the site, and one divergence between z and the site.

    Args:
        name: a divergence, `none`, or WITHOUT for JS that ignores the covariate.
        weight: of the divergence in the objective, nats per patient else.
        effort: steps and sizes; seed: of weights, batches and draws.
    """

    def __init__(self, name: str, weight: float, effort: Effort, seed: int) -> None:
        self.name, self.weight, self.effort, self.seed = name, weight, effort, seed
        self.encoder = new_network(OBSERVED, 2 * LATENTS, effort.width, 3 * seed)
        self.decoder = new_network(LATENTS + SITES, OBSERVED, effort.width, 3 * seed + 1)
        self.covered = name != WITHOUT
        divergence = "js" if name == WITHOUT else name
        self.closed = penalty(divergence) if divergence in ("none", *CLOSED) else None
        self.critic = None
        if divergence in CRITICS:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(3 * seed + 2)
                network = dense_network(LATENTS + int(self.covered), SITES, effort.width)
            self.critic = Critic(divergence, network, effort.critic())

    def fit(self, given: Patients) -> float:
        """Train; seconds per epoch (as many steps as show every patient once).

        Raises:
            FloatingPointError: the loss is not a number any more.
        """
        context = given.covariate if self.covered else given.covariate[:, :0]
        conditioning = Conditioning(context.numpy(), given.site.numpy(), SITES)
        seen, shares = conditioning.context(context), conditioning.share(context)
        mover = optimiser([*self.encoder.parameters(), *self.decoder.parameters()], self.effort)
        generator, start = torch.Generator().manual_seed(self.seed), time.process_time()
        for step in range(self.effort.steps):
            slow_down(step, self.effort, mover)
            chosen = torch.randint(len(given.x), (self.effort.samples,), generator=generator)
            known = (given.site[chosen], seen[chosen], shares[chosen])
            loss = self._loss(given.x[chosen], known, generator)
            if not bool(torch.isfinite(loss)):
                raise FloatingPointError(f"{self.name}: the loss of step {step} is not a number")
            mover.zero_grad(set_to_none=True)
            loss.backward()
            mover.step()
        spent = time.process_time() - start
        return spent * len(given.x) / (self.effort.steps * self.effort.samples)

    def _loss(self, x: Tensor, known: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        site, context, share = known
        mean, logvar = self._posterior(x)
        z = sample(mean, logvar, generator)
        shown = self.decoder(torch.cat([z, torch.eye(SITES)[site]], 1))
        spread = torch.full_like(shown, 2.0 * np.log(OBSERVED_SD))
        loss = RATE_WEIGHT * kl_standard(mean, logvar).sum(1).mean()
        loss = loss - log_density(x, shown, spread).sum(1).mean()
        if self.closed is not None:
            maps = mean[:, :, None, None], logvar[:, :, None, None]
            return loss + self.weight * self.closed(*maps, site)
        if self.critic is None:
            return loss
        samples = Samples(z, z, context, site, share)
        self.critic.ascend(samples, generator)
        return loss + self.weight * self.critic.loss(samples, generator)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, 1)
        return mean, logvar.clamp(-8.0, 2.0)

    def encode(self, given: Patients, seed: int) -> np.ndarray:
        """(n, 4) draws of z: what may leak is what a draw tells, not its mean."""
        with torch.no_grad():
            drawn = sample(*self._posterior(given.x), torch.Generator().manual_seed(seed))
        return drawn.double().numpy()


def residual_site_auc(z: np.ndarray, site: np.ndarray) -> float:
    """The better of a linear and a forest probe on the second half of patients drawn by lot."""
    half = len(z) // 2
    probes = (
        LogisticRegression(max_iter=500),
        RandomForestClassifier(TREES, min_samples_leaf=5, random_state=0),
    )
    found = []
    for probe in probes:
        told = probe.fit(z[:half], site[:half]).predict_proba(z[half:])
        found.append(roc_auc_score(site[half:], told, multi_class="ovo"))
    return float(max(found))


def biology_r2(z: np.ndarray, biology: np.ndarray) -> float:
    """Mean over traits of the better of a linear and a forest regression, second half."""
    half = len(z) // 2
    probes = (Ridge(), RandomForestRegressor(TREES, min_samples_leaf=5, random_state=0))
    found = [
        r2_score(biology[half:], p.fit(z[:half], biology[:half]).predict(z[half:]),
                 multioutput="raw_values")
        for p in probes
    ]  # fmt: skip
    return float(np.mean(np.maximum(*found)))


def invariance_row(name: str, weight: float, effort: Effort, seed: int) -> dict[str, object]:
    """One divergence, one seed.

    Returns divergence, weight, seed, site_auc, biology_r2, epoch_seconds (CPU), failed.
    """
    encoding = Encoding(name, weight, effort, seed)
    row = {"divergence": name, "weight": weight, "seed": seed}
    try:
        seconds = encoding.fit(patients(4 * JUDGED, False, 2 * seed))
    except FloatingPointError:
        lost = dict.fromkeys(("site_auc", "biology_r2", "epoch_seconds"), float("nan"))
        return row | lost | {"failed": True}
    held = patients(JUDGED, True, 2 * seed + 1)
    z = encoding.encode(held, seed)
    row["site_auc"] = residual_site_auc(z, held.site.numpy())
    row["biology_r2"] = biology_r2(z, held.biology.numpy())
    return row | {"epoch_seconds": seconds, "failed": False}


def invariances(
    weights: Mapping[str, float], effort: Effort, seeds: list[int]
) -> list[dict[str, object]]:
    """`invariance_row` of every name and seed."""
    return [invariance_row(n, w, effort, seed) for n, w in weights.items() for seed in seeds]
