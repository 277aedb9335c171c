"""Is the model alive? ELBO surgery on held-out scans and the collapse monitor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ctharmony.information.elbo import active_units, decompose
from ctharmony.model.devices import moved
from ctharmony.model.objective import reconstruction, spectrum, terms, weighted
from ctharmony.model.sampling import PatchSource, latent_draws
from ctharmony.model.settings import Monitor, Settings
from ctharmony.model.vae import Batch, FactorisedVAE, Outcome

HEALTHY = "healthy"
SCANNER_COLLAPSED = "z_s collapsed"
BIOLOGY_COLLAPSED = "z_b collapsed"
DECODER_IGNORES = "decoder ignores z"
SURGERY_PLACES = 512


@dataclass(frozen=True)
class Collapse:
    """Verdict of the monitor.

    Attributes:
        status: healthy, z_s collapsed, z_b collapsed or decoder ignores z.
        active_scanner, active_biology: active units (Burda et al.).
        loss_without_scanner, loss_without_biology: nats per patch lost when the latent of
            another scan (another patch) is decoded instead of the own one.
    """

    status: str
    active_scanner: int
    active_biology: int
    loss_without_scanner: float
    loss_without_biology: float


@torch.no_grad()
def validation_rows(
    model: FactorisedVAE,
    source: PatchSource,
    settings: Settings,
    epoch: int,
    watch: Callable[[Batch, Outcome], None] = lambda batch, outcome: None,
) -> list[dict[str, Any]]:
    """History rows of one epoch on held-out scans: every term, and the ELBO surgery, in nats.

    `watch` is shown every batch and what the model makes of it.
    """
    device = model.blur.device
    sums: dict[str, float] = {}
    posteriors: list[tuple[Tensor, ...]] = []
    places: list[tuple[Tensor, Tensor]] = []
    total = 0
    for index, batch in enumerate(source.fixed(settings.training.validation_patches)):
        batch = moved(batch, device)
        outcome = model(batch, latent_draws(0, index, len(batch.site)))
        parts = terms(model, outcome, batch, settings.objective)
        parts["loss"] = weighted(parts, settings.objective, {}, 1.0)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(batch.site)
        watch(batch, outcome)
        total += len(batch.site)
        posteriors.append((*outcome.z_s[:2], *model.priors(batch.site)))
        places.append(outcome.z_b[:2])
    values = {name: value / total for name, value in sums.items()}
    values |= surgery(posteriors, places)
    return [
        {"epoch": epoch, "term": name, "split": "validation", "value": value, "unit": "nats"}
        for name, value in values.items()
    ]


def surgery(
    posteriors: list[tuple[Tensor, ...]], places: list[tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """ELBO surgery of z_s over scans and of z_b over places.

    For z_s twice: against the site priors (`scanner_...`) the mutual information counts the site,
    so its marginal part may be negative; against N(0, I) (`scanner_standard_...`) it may not. For
    z_b one place of the map is the unit. Estimators and their bias: information.elbo.
    """
    columns = zip(*posteriors, strict=True)
    mean, logvar, prior_mean, prior_logvar = (torch.cat(part) for part in columns)
    result = _named("scanner", decompose(mean, logvar, (prior_mean, prior_logvar)))
    result |= _named("scanner_standard", decompose(mean, logvar))
    maps = [_by_place(torch.cat([part[k] for part in places])) for k in (0, 1)]
    every = max(1, len(maps[0]) // SURGERY_PLACES)
    chosen = [part[::every][:SURGERY_PLACES] for part in maps]
    return result | _named("biology", decompose(*chosen, draws=4))


@torch.no_grad()
def collapse(model: FactorisedVAE, source: PatchSource, settings: Settings) -> Collapse:
    """Look for posterior collapse on the scans of `source`: units, rates and ablation."""
    device = model.blur.device
    means_s, means_b, lost = [], [], torch.zeros(2)
    total = 0
    for batch in source.fixed(settings.training.validation_patches):
        batch = moved(batch, device)
        outcome = model(batch, latent_draws(0, 0, len(batch.site)))
        lost += torch.tensor(_ablation(model, batch, outcome)) * len(batch.site)
        total += len(batch.site)
        means_s.append(outcome.z_s[0])
        means_b.append(_by_place(outcome.z_b[0]))
    active = active_units(torch.cat(means_s)), active_units(torch.cat(means_b))
    lost_s, lost_b = (lost / total).tolist()
    used = _used(lost_s, lost_b / model.grid**2, settings.monitor)
    return Collapse(_status(active, *used), *active, lost_s, lost_b)


def _used(lost_scanner: float, lost_biology_per_pixel: float, how: Monitor) -> tuple[bool, bool]:
    """Whether z_s and z_b are used by the decoder."""
    uses_biology = lost_biology_per_pixel > how.least_biology_nats
    return lost_scanner > how.least_scanner_nats, uses_biology


def _status(active: tuple[int, int], uses_scanner: bool, uses_biology: bool) -> str:
    if min(active) > 0 and not uses_scanner and not uses_biology:
        return DECODER_IGNORES
    if active[1] == 0 or not uses_biology:
        return BIOLOGY_COLLAPSED
    return HEALTHY if active[0] > 0 and uses_scanner else SCANNER_COLLAPSED


def _ablation(model: FactorisedVAE, batch: Batch, outcome: Outcome) -> tuple[float, float]:
    """Nats per patch lost with the z_s of another scan, and with the z_b of another patch."""
    patches = len(batch.native[0])
    z_b, z_s = outcome.z_b[2], outcome.z_s[2]
    other_s = z_s.roll(1, 0).repeat_interleave(patches, 0)
    own_s = z_s.repeat_interleave(patches, 0)
    image = torch.cat([model.to_grid(part) for part in batch.native])
    features = model.encode_biology(image, outcome.z_s[0].repeat_interleave(patches, 0))[2]
    base = float(reconstruction(outcome))
    mean, log_sd = model.decode(z_b, other_s, features)
    power = model.head.log_spectrum(other_s)
    swapped = replace(outcome, mean=mean, log_sd=log_sd, log_spectrum=power)
    lost_s = float(reconstruction(swapped) + spectrum(swapped)) - base - float(spectrum(outcome))
    mean, log_sd = model.decode(z_b.roll(patches + 1, 0), own_s, features)
    lost_b = float(reconstruction(replace(outcome, mean=mean, log_sd=log_sd))) - base
    return lost_s, lost_b


def _by_place(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _named(group: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{group}_{name}": value for name, value in values.items()}
