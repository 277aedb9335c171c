"""A trained model at work: scans in as arrays, posteriors and decoded volumes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ctharmony.model.networks import STRIDE
from ctharmony.model.scans import cut, measure_anchors, patch_shape, slab, spread_centres
from ctharmony.model.settings import Settings
from ctharmony.model.spectrum import FREQUENCIES, read_scanner
from ctharmony.model.vae import FactorisedVAE, resampled

SITES_KEY = "sites"  # names as bytes: safetensors holds nothing but tensors
BLOCK = 4  # slabs at once
PLANES = 8  # slices decoded at once


@dataclass(frozen=True)
class ScanPosterior:
    """What the model reads in one scan.

    Attributes:
        mean, logvar: (d,) of q(z_s|x).
        biology_mean, biology_sd: (c,) mean and SD over places of the mean of q(z_b|x).
        anchors: (k,) measured tissue HU in the order of the settings' anchors, NaN where unseen.
        distance: root-mean-square of the scan's standardised scanner features: 1 for a typical
            training scan, larger the farther from all of them.
    """

    mean: np.ndarray
    logvar: np.ndarray
    biology_mean: np.ndarray
    biology_sd: np.ndarray
    anchors: np.ndarray
    distance: float


class TrainedModel:
    """A frozen FactorisedVAE. Every method is deterministic and leaves the model as it was."""

    def __init__(self, settings: Settings, sites: list[str], network: FactorisedVAE) -> None:
        self.settings, self.sites = settings, sites
        self.network = network.eval()

    @classmethod
    def from_parts(
        cls, settings: Settings, sites: list[str], weights: dict[str, Tensor]
    ) -> "TrainedModel":
        """Build from a FactorisedVAE's state_dict."""
        network = FactorisedVAE(settings, len(sites))
        network.load_state_dict(weights)
        return cls(settings, sites, network)

    @classmethod
    def from_state(cls, settings: Settings, state: dict[str, Tensor]) -> "TrainedModel":
        """Inverse of `state`.

        Raises:
            ValueError: the state is not that of a model of these settings.
        """
        weights, sites = unpacked(state)
        try:
            return cls.from_parts(settings, sites, weights)
        except RuntimeError as error:
            raise ValueError(f"weights and settings disagree; train again ({error})") from error

    def state(self) -> dict[str, Tensor]:
        """Everything but the settings, as contiguous CPU tensors (for safetensors)."""
        return packed(self.network.state_dict(), self.sites)

    def to(self, device: str) -> "TrainedModel":
        """Move to a device and return self."""
        self.network.to(device)
        return self

    @torch.inference_mode()
    def encode_scan(
        self, hu: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
    ) -> ScanPosterior:
        """Posterior of one scan (slices, rows, columns) from patches spread over its body.

        Raises:
            ValueError: the mask is empty.
        """
        native, anchors = self._patches(hu, mask, spacing)
        pixel_mm = (float(spacing[1]), float(spacing[2]))
        scanner = self.network.scanner
        features = read_scanner(native[:, 1], pixel_mm)[0][None]
        standardised = scanner.standardise(features, anchors[None])
        mean, logvar = scanner(standardised)
        z_s = mean.expand(len(native), -1)
        z_b = self.network.encode_biology(self.network.to_grid(native), z_s)[0]
        seen = standardised != 0
        distance = (standardised.square().sum() / seen.sum().clamp(min=1)).sqrt()
        places = z_b.transpose(0, 1).flatten(1)
        parts = (mean[0], logvar[0], places.mean(1), places.std(1), anchors)
        return ScanPosterior(*(part.cpu().numpy() for part in parts), distance=float(distance))

    @torch.inference_mode()
    def decode(
        self,
        hu: np.ndarray,
        spacing: tuple[float, float, float],
        z_s_source: np.ndarray,
        z_s_target: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """D(z_b, z_source), D(z_b, z_target) and the decoder's SD, each shaped as `hu`, in HU.

        `hu` (slices, rows, columns); z_b is encoded under `z_s_source` (d,). Without a target
        (None) the last two are None, in two thirds of the time. Memory beyond the volumes is that
        of a few slices. Take a site's prior mean as source, not one scan's posterior: what sets
        one patient of a site apart from the others is mostly the patient.
        """
        device = self.network.blur.device
        views = [self._row(z_s) for z_s in (z_s_source, z_s_target) if z_s is not None]
        results = [np.empty(hu.shape, np.float32) for _ in range(1 if len(views) == 1 else 3)]
        for place, planes in plane_blocks(hu):
            parts = self._decode_block(planes.to(device), spacing, views)
            for result, part in zip(results, parts, strict=True):
                result[place] = part.cpu().numpy()
        return tuple(results) if len(views) == 2 else (results[0], None, None)

    def site_prior(self, site: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log-variance (d,) of p(z_s|site) of a reference site.

        Raises:
            ValueError: the model was not trained on that site.
        """
        if site not in self.sites:
            raise ValueError(f"site {site} is none of the model's ({', '.join(self.sites)})")
        index = torch.tensor([self.sites.index(site)], device=self.network.blur.device)
        mean, logvar = self.network.priors(index)
        return mean[0].detach().cpu().numpy(), logvar[0].detach().cpu().numpy()

    @torch.inference_mode()
    def residual_spectrum(self, z_s: np.ndarray) -> np.ndarray:
        """Log noise power (40,) on the frequency grid, log of HU^2 mm^2."""
        return self.network.head.log_spectrum(self._row(z_s))[0].cpu().numpy()

    @torch.inference_mode()
    def hu_curve(self, z_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tissue HU of the common scale and what this scanner shows for them, each (k,)."""
        knots = self.network.head.knots(self._row(z_s))[0]
        return self.network.head.tissues.cpu().numpy(), knots.cpu().numpy()

    @property
    def frequencies(self) -> np.ndarray:
        """Frequency grid (40,), cycles/mm."""
        return FREQUENCIES.numpy()

    def _row(self, z_s: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(z_s, np.float32)).to(self.network.blur.device)[None]

    def _patches(
        self, hu: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
    ) -> tuple[Tensor, Tensor]:
        shape = patch_shape(spacing, self.settings.network.patch_mm)
        centres = spread_centres(mask, self.settings.adaptation.patches_per_scan)
        native = torch.from_numpy(np.stack([cut(hu, centre, shape) for centre in centres]))
        anchors = torch.from_numpy(measure_anchors(hu, mask, list(self.settings.anchors_hu)))
        device = self.network.blur.device
        return native.to(device), anchors.to(device)

    def _decode_block(
        self, planes: Tensor, spacing: tuple[float, float, float], views: list[Tensor]
    ) -> list[Tensor]:
        """The first view's mean; with a second view its mean and the first's SD as well.

        `planes` (n + 2, 1, rows, columns): the block's slices between their neighbours.
        """
        on_grid, shape = to_common_grid(planes, spacing, self.settings.network.grid_mm)
        # each slice is prepared once, though three slabs hold it
        shown = self.network.canonical(on_grid, views[0].expand(len(planes), -1))
        slabs = torch.cat([shown[:-2], shown[1:-1], shown[2:]], dim=1)
        rows = [view.expand(len(slabs), -1) for view in views]
        z_b, _, features = self.network.biology(slabs)
        means, log_sds = zip(
            *[self.network.decode(z_b, row, features) for row in rows], strict=True
        )
        shown = [*means, log_sds[0].exp()] if len(rows) > 1 else list(means)
        stack = torch.stack(shown, dim=1)
        return list(from_common_grid(stack, shape, planes.shape[-2:]).unbind(1))


def packed(weights: Mapping[str, Tensor], sites: list[str]) -> dict[str, Tensor]:
    """Weights and names of sites as contiguous CPU tensors (for safetensors)."""
    names = torch.tensor(list("\n".join(sites).encode()), dtype=torch.uint8)
    return {name: value.cpu().contiguous() for name, value in weights.items()} | {SITES_KEY: names}


def unpacked(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Inverse of `packed`.

    Raises:
        ValueError: the state names no sites.
    """
    if SITES_KEY not in state:
        raise ValueError("the weights name no sites; train the model again")
    sites = bytes(state[SITES_KEY].tolist()).decode().split("\n")
    return {name: value for name, value in state.items() if name != SITES_KEY}, sites


def plane_blocks(hu: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """A volume a few slices at a time: their place, and these slices between their neighbours.

    (n + 2, 1, rows, columns) float32; the end slices repeat.
    """
    for start in range(0, len(hu), PLANES):
        place = slice(start, min(start + PLANES, len(hu)))
        chosen = np.clip(np.arange(place.start - 1, place.stop + 1), 0, len(hu) - 1)
        yield place, torch.from_numpy(hu[chosen].astype(np.float32))[:, None]


def slab_blocks(hu: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """A volume a few slices at a time: their place, and their slabs (n, 3, rows, columns)."""
    for start in range(0, len(hu), BLOCK):
        place = slice(start, min(start + BLOCK, len(hu)))
        yield (
            place,
            torch.from_numpy(np.stack([slab(hu, i) for i in range(place.start, place.stop)])),
        )


def to_common_grid(
    slabs: Tensor, spacing: tuple[float, float, float], grid_mm: float
) -> tuple[Tensor, tuple[int, int]]:
    """Slabs (n, 3, rows, columns) on pixels of `grid_mm`, sides padded to whole strides.

    Returns:
        The padded slabs and the shape without padding.
    """
    sides = zip(slabs.shape[-2:], spacing[1:], strict=True)
    shape = tuple(max(STRIDE, round(size * step / grid_mm)) for size, step in sides)
    lack = [-size % STRIDE for size in shape]
    padding = (0, lack[1], 0, lack[0])
    return functional.pad(resampled(slabs, shape), padding, mode="replicate"), shape


def from_common_grid(images: Tensor, shape: tuple[int, int], native: tuple[int, int]) -> Tensor:
    """Inverse of `to_common_grid` for images (n, c, h, w): on the native rows and columns."""
    return resampled(images[..., : shape[0], : shape[1]], native)
