"""What the model reads off the training scans before the first step: scales, not weights."""

import torch
from torch import Tensor

from ctharmony.model.sampling import PatchSource
from ctharmony.model.spectrum import MIN_POWER
from ctharmony.model.vae import FactorisedVAE

# scanners in the world differ by this at least, however alike those at hand are: log power in
# nats, tissue HU in SDs between patients
LEAST_SCALE = 0.5
LEAST_ANCHOR_SDS = 0.5


def prepare(model: FactorisedVAE, source: PatchSource, patches: int) -> None:
    """Set feature scales, tissue HU and the reference noise level from training scans."""
    readings = [model.read(batch) for batch in source.fixed(patches)]
    pooled = torch.cat([features.nanmean(1) for features, _, _ in readings])
    table = torch.cat([pooled, torch.from_numpy(source.anchors)], dim=1)
    centre = table.nanmean(0)
    spread = (table - centre).square().nanmean(0).sqrt()
    tissues = len(model.head.tissues)
    floor = torch.full((pooled.shape[1],), LEAST_SCALE)
    least = torch.cat([floor, LEAST_ANCHOR_SDS * model.head.reach])
    model.scanner.centre.copy_(torch.nan_to_num(centre))
    model.scanner.scale.copy_(torch.maximum(torch.nan_to_num(spread), least))
    seen = torch.isfinite(centre[-tissues:])
    model.head.tissues.copy_(torch.where(seen, centre[-tissues:], model.head.tissues))
    _start_noise_level(model, *(torch.cat(part) for part in list(zip(*readings, strict=True))[1:]))


def _start_noise_level(model: FactorisedVAE, power: Tensor, counts: Tensor) -> None:
    """The spectrum at z_s = 0 is the mean one; where nothing is known it goes on level."""
    weight = counts.sum(0)
    known = (weight > 0).nonzero().flatten()
    if len(known) == 0:
        return
    mean = (power * counts).sum(0) / weight.clamp(min=1e-6)
    nearest = (torch.arange(len(weight))[:, None] - known[None]).abs().argmin(1)
    model.head.log_power.copy_(mean[known][nearest].clamp(min=MIN_POWER).log())
