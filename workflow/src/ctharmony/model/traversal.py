"""What the decoder shows as one thing changes: the scanner from site to site, or a patient's trait.

A picture of each step tells a reader what a latent holds: z_s should change noise-free contrast and
sharpness and leave anatomy alone, z_b the reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ctharmony.model.inference import TrainedModel, from_common_grid, to_common_grid

LEAST_SCANS = 4  # fewer give no slope worth a picture


@dataclass(frozen=True)
class Step:
    """One picture of a traversal.

    Attributes:
        label: what is shown; empty for a step on the way to the next.
        z_s: (d,) scanner latent.
        shift: (c,) added to the scan's z_b everywhere.
    """

    label: str
    z_s: np.ndarray
    shift: np.ndarray


@torch.inference_mode()
def traverse(
    model: TrainedModel,
    slab: np.ndarray,
    spacing: tuple[float, float, float],
    source: np.ndarray,
    steps: Sequence[Step],
) -> np.ndarray:
    """Decoded means (steps, rows, columns), HU.

    Args:
        model: trained; its decoder must take nothing but the latents (no skips).
        slab: (3, rows, columns) HU, a slice between its neighbours.
        spacing: (dz, dy, dx) mm.
        source: (d,) scanner latent that the slice was taken with.
        steps: what to show.
    """
    device = model.network.blur.device
    row = torch.from_numpy(np.asarray(source, np.float32)).to(device)[None]
    slabs = torch.from_numpy(np.asarray(slab, np.float32))[None].to(device)
    grid, shape = to_common_grid(slabs, spacing, model.settings.network.grid_mm)
    z_b, _, features = model.network.encode_biology(grid, row)
    shown = []
    for step in steps:
        z_s, shift = (
            torch.from_numpy(np.asarray(part, np.float32)).to(device)[None]
            for part in (step.z_s, step.shift)
        )
        mean = model.network.decode(z_b + shift[..., None, None], z_s, features)[0]
        shown.append(from_common_grid(mean[:, None], shape, slabs.shape[-2:])[0, 0])
    return torch.stack(shown).cpu().numpy()


def site_steps(model: TrainedModel, sites: Sequence[str], between: int) -> list[Step]:
    """From the prior mean of each reference site to the next, and back to the first.

    Args:
        model: trained on the sites; sites: in order; between: steps on the way to each.
    """
    still = np.zeros(model.settings.network.biology_channels, np.float32)
    means = {site: model.site_prior(site)[0] for site in sites}
    steps = []
    for here, there in pairwise([*sites, sites[0]]):
        for part in range(between + 1):
            share = part / (between + 1)
            z_s = (1 - share) * means[here] + share * means[there]
            steps.append(Step("" if part else here, z_s, still))
    return [*steps, Step("", means[sites[0]], still)]


def trait_steps(
    biology: np.ndarray, trait: np.ndarray, own: float, z_s: np.ndarray, count: int
) -> list[Step]:
    """From the 5th to the 95th percentile of a trait along its regression on z_b.

    The shift is the slope of each channel on the trait: the pattern that goes with it, not the
    filter that reads it best (Haufe et al., NeuroImage 2014;87:96).

    Args:
        biology: (scans, c) pooled z_b of training scans; trait: (scans,) numbers, NaN unknown.
        own: the trait of the scan that is shown.
        z_s: (d,) scanner to show; count: steps.

    Returns:
        Steps, none where too few scans know the trait or all have the same.
    """
    known = np.isfinite(trait)
    if known.sum() < LEAST_SCANS or np.ptp(trait[known]) == 0 or not np.isfinite(own):
        return []
    centred = trait[known] - trait[known].mean()
    slope = centred @ (biology[known] - biology[known].mean(axis=0)) / (centred @ centred)
    values = np.linspace(*np.percentile(trait[known], [5, 95]), count)
    return [Step(f"{value:.3g}", z_s, slope * (value - own)) for value in values]
