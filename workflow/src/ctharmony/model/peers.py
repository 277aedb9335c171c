"""Peers that return a network's mean: a plain conditional VAE and a site-conditioned AutoencoderKL.

They see the same patches as the model and are told the site; decoding under the target site is
their harmonized scan. Nothing of the residual is carried over, which is what they show.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ctharmony.information.gaussian import kl_standard, log_density, sample
from ctharmony.model.curve import to_hu, to_units
from ctharmony.model.inference import (
    from_common_grid,
    packed,
    slab_blocks,
    to_common_grid,
    unpacked,
)
from ctharmony.model.networks import BiologyEncoder, Decoder
from ctharmony.model.progress import Progress, Row
from ctharmony.model.sampling import PatchSource, latent_draws
from ctharmony.model.scans import ScanData
from ctharmony.model.schedule import split_scans
from ctharmony.model.settings import Settings
from ctharmony.model.vae import grid_side, resampled

SITE_DIMENSIONS = 8
SD_HU = 20.0  # of the likelihood that weighs error against rate


@dataclass(frozen=True)
class PeerSettings:
    """How the peers are made: optimiser steps, Adam's rate, weight of the rate, channels of z."""

    steps: int
    learning_rate: float
    beta: float
    latent_channels: int
    width: int

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "PeerSettings":
        """Read the block `harmonization.peers`."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})


class ConditionalVAE(nn.Module):
    """q(z|x), D(z, site) with the model's own convolutions and no physics (Sohn et al. 2015)."""

    def __init__(self, sites: int, how: PeerSettings) -> None:
        super().__init__()
        self.encoder = BiologyEncoder(how.width, how.latent_channels)
        self.decoder = Decoder(how.width, how.latent_channels, SITE_DIMENSIONS, 1.0, False)
        self.site = nn.Embedding(sites, SITE_DIMENSIONS)

    def posterior(self, units: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar of z, from slabs (n, 3, h, w) in network units."""
        return self.encoder(units)[:2]

    def render(self, z: Tensor, site: Tensor) -> Tensor:
        """Centre slices (n, h, w) in network units, as the sites (n,) show them."""
        return self.decoder(z, self.site(site))[0]

    def shown(self, units: Tensor, site: int, side: int) -> Tensor:
        """Centre slices (n, h, w) of slabs (n, 3, h, w) as one site shows them, in network units.

        Args:
            side: pixels on a side of the patches it was trained on; whole slices do as well.
        """
        return self.render(self.posterior(units)[0], torch.full((len(units),), site))


class SiteAutoencoderKL(nn.Module):
    """MONAI's AutoencoderKL; a site's learned offset is added to z before decoding.

    Raises:
        ImportError: MONAI is not installed; the message says how to get it.
    """

    def __init__(self, sites: int, how: PeerSettings) -> None:
        super().__init__()
        try:
            from monai.networks.nets import AutoencoderKL
        except ImportError as error:
            raise ImportError(
                "harmonization.baselines names autoencoder_kl, which needs MONAI: "
                "pip install monai -c constraints.txt"
            ) from error
        self.core = AutoencoderKL(
            spatial_dims=2, in_channels=3, out_channels=1, latent_channels=how.latent_channels,
            channels=(how.width, how.width, 2 * how.width, 2 * how.width), num_res_blocks=1,
            attention_levels=(False,) * 4, norm_num_groups=min(32, how.width),
            with_encoder_nonlocal_attn=False, with_decoder_nonlocal_attn=False,
        )  # fmt: skip
        self.site = nn.Embedding(sites, how.latent_channels)

    def posterior(self, units: Tensor) -> tuple[Tensor, Tensor]:
        """As `ConditionalVAE.posterior`."""
        mean, sd = self.core.encode(units)
        return mean, 2.0 * sd.log()

    def render(self, z: Tensor, site: Tensor) -> Tensor:
        """As `ConditionalVAE.render`."""
        return self.core.decode(z + self.site(site)[:, :, None, None])[:, 0]

    def shown(self, units: Tensor, site: int, side: int) -> Tensor:
        """As `ConditionalVAE.shown`, in overlapping windows of the patches' size.

        Its group norms measure the image they are given: whole slices, half of them air, are
        nothing like what it was trained on.
        """
        from monai.inferers import SlidingWindowInferer

        def show(part: Tensor) -> Tensor:
            return self.render(self.posterior(part)[0], torch.full((len(part),), site))[:, None]

        window = SlidingWindowInferer((side, side), len(units), overlap=0.25, mode="gaussian")
        return window(units, show)[:, 0]


PEERS: dict[str, type[nn.Module]] = {
    "conditional_vae": ConditionalVAE,
    "autoencoder_kl": SiteAutoencoderKL,
}


class TrainedPeer:
    """A peer, the reference sites it knows and the patches (pixels, mm each) it was trained on."""

    def __init__(self, network: nn.Module, sites: list[str], grid_mm: float, side: int) -> None:
        self.network, self.sites = network.eval(), sites
        self.grid_mm, self.side = grid_mm, side

    @classmethod
    def from_state(
        cls, name: str, state: Mapping[str, Tensor], how: PeerSettings, grid_mm: float, side: int
    ) -> "TrainedPeer":
        """Inverse of `state`."""
        weights, sites = unpacked(state)
        network = PEERS[name](len(sites), how)
        network.load_state_dict(weights)
        return cls(network, sites, grid_mm, side)

    def state(self) -> dict[str, Tensor]:
        """Weights and sites as contiguous tensors (for safetensors)."""
        return packed(self.network.state_dict(), self.sites)

    @torch.inference_mode()
    def decode(self, hu: np.ndarray, spacing: tuple[float, float, float], site: str) -> np.ndarray:
        """The scan (slices, rows, columns) as `site` would show it, float32 HU.

        Raises:
            ValueError: the peer was not trained on that site.
        """
        if site not in self.sites:
            raise ValueError(f"site {site} is none of the peer's ({', '.join(self.sites)})")
        result = np.empty(hu.shape, np.float32)
        for place, slabs in slab_blocks(hu):
            grid, shape = to_common_grid(slabs, spacing, self.grid_mm)
            units = self.network.shown(to_units(grid), self.sites.index(site), self.side)
            back = from_common_grid(to_hu(units)[:, None], shape, slabs.shape[-2:])
            result[place] = back[:, 0].numpy()
        return result


def train_peer(
    name: str,
    scans: Sequence[ScanData],
    settings: Settings,
    how: PeerSettings,
    seed: int,
    on_epoch: Callable[[list[Row]], None] = lambda rows: None,
) -> TrainedPeer:
    """Fit a peer on the training scans of the reference sites.

    Args:
        name: conditional_vae or autoencoder_kl.
        scans: as for `training.train`.
        settings: the model's, for patches, batches and the length of an epoch.
        how: see `PeerSettings`.
        seed: everything random follows from it.
        on_epoch: hears the row of the mean training loss (epoch, term, split, value, unit).
    """
    fitted, _ = split_scans(scans)
    sites = sorted({scan.site for scan in fitted})
    source = PatchSource(fitted, sites, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PEERS[name](len(sites), how)
    optimizer = torch.optim.Adam(network.parameters(), lr=how.learning_rate)
    side, progress = grid_side(settings.network), Progress()
    for step in range(how.steps):
        batch = source.draw(seed, step)
        image = torch.cat([resampled(part, (side, side)) for part in batch.native])
        site = batch.site.repeat_interleave(len(batch.native[0]))
        draw = latent_draws(seed, step, len(batch.site))
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(network, image, site, how.beta, draw.generator)
        (loss / side**2).backward()
        optimizer.step()
        progress.add({"loss": loss, "steps": torch.ones(())})
        done, length = step + 1, settings.training.steps_per_epoch
        if done % length == 0 or done == how.steps:
            on_epoch(progress.epoch_rows(-(-done // length)))
    return TrainedPeer(network, sites, settings.network.grid_mm, side)


def _loss(
    network: nn.Module, image: Tensor, site: Tensor, beta: float, generator: torch.Generator
) -> Tensor:
    """-log N(x; D(z, site), SD_HU^2) + beta KL(q(z|x) || N(0, I)), nats per patch."""
    mean, logvar = network.posterior(to_units(image))
    shown = to_hu(network.render(sample(mean, logvar, generator), site))
    noise = torch.full_like(shown, 2.0 * float(np.log(SD_HU)))
    density = log_density(image[:, 1], shown, noise).sum((1, 2)).mean()
    return beta * kl_standard(mean, logvar).sum((1, 2, 3)).mean() - density
