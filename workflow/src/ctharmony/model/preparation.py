"""What the model reads off the training scans before the first step: scales, not weights."""

import torch
from torch import Tensor

from ctharmony.model.sampling import PatchSource
from ctharmony.model.spectrum import FREQUENCIES, HIGH_PASS, scanner_features
from ctharmony.model.vae import FactorisedVAE

# a feature that hardly varies over the training scans still gets this scale (log units, nats)
LEAST_SCALE = 0.15


def prepare(model: FactorisedVAE, source: PatchSource, patches: int) -> None:
    """Set feature scales, tissue HU and the reference noise level from training scans."""
    pooled = torch.cat([_pooled(batch) for batch in source.fixed(patches)])
    table = torch.cat([pooled, torch.from_numpy(source.anchors)], dim=1)
    centre = table.nanmean(0)
    spread = (table - centre).square().nanmean(0).sqrt()
    tissues = len(model.head.tissues)
    least = torch.cat([torch.full((pooled.shape[1],), LEAST_SCALE), 0.25 * model.head.reach])
    model.scanner.centre.copy_(torch.nan_to_num(centre))
    model.scanner.scale.copy_(torch.maximum(torch.nan_to_num(spread), least))
    seen = torch.isfinite(centre[-tissues:])
    model.head.tissues.copy_(torch.where(seen, centre[-tissues:], model.head.tissues))
    _start_noise_level(model, centre)


def _pooled(batch) -> Tensor:
    return torch.stack(
        [
            scanner_features(part[:, 1], step).nanmean(0)
            for part, step in zip(batch.native, batch.pixel_mm, strict=True)
        ]
    )


def _start_noise_level(model: FactorisedVAE, centre: Tensor) -> None:
    high = FREQUENCIES > HIGH_PASS
    known = torch.isfinite(centre[: int(high.sum())])
    if not known.any():
        return
    values = centre[: int(high.sum())][known]
    level = torch.full((len(FREQUENCIES),), float(values[-1]))
    level[high.nonzero().flatten()[known]] = values
    # below the high-pass the patches are mostly anatomy: start from the first trusted bin
    level[~high] = float(values[0])
    model.head.log_power.copy_(level)
