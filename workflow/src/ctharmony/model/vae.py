"""The factorised beta-VAE: q(z_b|x, z_s), q(z_s|x), p(z_s|site), D(z_b, z_s)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctharmony.information.gaussian import reparametrise
from ctharmony.model.curve import piecewise_linear, to_hu, to_units
from ctharmony.model.networks import STRIDE, BiologyEncoder, Decoder
from ctharmony.model.scanner import ScannerEncoder, ScannerHead, SitePriors
from ctharmony.model.settings import Network, Settings
from ctharmony.model.spectrum import read_scanner


@dataclass
class Batch:
    """Patches of several scans; one pixel size per scan, so the native crops differ in shape.

    Attributes:
        native: per scan (patches, 3, rows, columns), HU.
        pixel_mm: per scan (dy, dx).
        anchors: (scans, k) measured tissue HU, NaN where unseen.
        site: (scans,) index of the reference site, UNKNOWN for a simulated scanner.
        covariates: (scans, k) numbers of the patients, NaN where missing; for critics only.
    """

    native: list[Tensor]
    pixel_mm: list[tuple[float, float]]
    anchors: Tensor
    site: Tensor
    covariates: Tensor


@dataclass
class Outcome:
    """All that the objective needs; n = scans, m = n x patches; grid sides g."""

    image: Tensor  # (m, g, g) HU on the common grid
    mean: Tensor  # (m, g, g) HU
    log_sd: Tensor  # (m, g, g) log HU
    z_b: tuple[Tensor, Tensor, Tensor]  # mean, logvar, draw (m, c, h, w)
    z_s: tuple[Tensor, Tensor, Tensor]  # mean, logvar, draw (n, d)
    knots: Tensor  # (n, k) HU
    power: Tensor  # (m, 40) the scans' periodogram in flat tissue
    counts: Tensor  # (m, 40) its independent values
    log_spectrum: Tensor  # (m, 40)


class FactorisedVAE(nn.Module):
    """Networks and their wiring; see DESIGN section 3."""

    def __init__(self, settings: Settings, sites: int) -> None:
        super().__init__()
        network = settings.network
        tissues = list(settings.anchors_hu)
        dimensions, channels = network.scanner_dimensions, network.biology_channels
        self.network = network
        self.grid = grid_side(network)
        self.biology = BiologyEncoder(network.width, channels)
        self.scanner = ScannerEncoder(dimensions, len(tissues))
        self.priors = SitePriors(sites, dimensions)
        self.head = ScannerHead(
            dimensions,
            [settings.anchors_hu[name] for name in tissues],
            [settings.anchor_sd_hu[name] for name in tissues],
        )
        self.decoder = Decoder(
            network.width, channels, dimensions, network.film_scale, network.decoder == "unet"
        )
        self.register_buffer("blur", _gaussian(network.biology_blur_mm / network.grid_mm))

    def to_grid(self, native: Tensor) -> Tensor:
        """Patches (n, 3, rows, columns) on the common grid (n, 3, g, g)."""
        return resampled(native, (self.grid, self.grid))

    def read(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Scanner features (n, patches, f), noise power and independent values (m, 40)."""
        pairs = zip(batch.native, batch.pixel_mm, strict=True)
        readings = [read_scanner(part[:, 1], step) for part, step in pairs]
        features, power, counts = zip(*readings, strict=True)
        return torch.stack(features), torch.cat(power), torch.cat(counts)

    def encode_scanner(self, features: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """q(z_s|x): mean and logvar (n, d), from features (n, patches, f), anchors (n, k)."""
        return self.scanner(self.scanner.standardise(features, anchors))

    def encode_biology(self, image: Tensor, z_s: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """q(z_b|x, z_s) of slabs (m, 3, h, w) in HU on the common grid."""
        return self.biology(self.canonical(image, z_s))

    def canonical(self, image: Tensor, z_s: Tensor) -> Tensor:
        """What the encoder of z_b is shown of images (m, c, h, w) in HU: network units.

        The scanner's HU curve is undone and the image blurred to a resolution that every scanner
        has, so that what z_b could tell of the scanner is mostly gone before the first layer.
        """
        # blurred in HU, where noise has mean zero: after the bent scale its level would shift means
        smooth = _blurred(image.clamp(-1100.0, 3000.0), self.blur)
        return to_units(piecewise_linear(smooth, self.head.knots(z_s).detach(), self.head.tissues))

    def decode(
        self, z_b: Tensor, z_s: Tensor, features: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """D(z_b, z_s): mean HU and log SD (log HU), each (m, h, w)."""
        units, log_sd = self.decoder(z_b, z_s, features)
        canonical = to_hu(units.float())
        # detached: the curve is what tissue HU say it is, not what blurred edges would make of it
        knots = self.head.knots(z_s).detach()
        return piecewise_linear(canonical, self.head.tissues, knots), log_sd.float()

    def forward(self, batch: Batch, draw: Callable[[Tensor], Tensor]) -> Outcome:
        """One pass; `draw` gives standard normal numbers of a posterior mean's shape."""
        patches = len(batch.native[0])
        image = torch.cat([self.to_grid(part) for part in batch.native])
        read, power, counts = self.read(batch)
        z_s_mean, z_s_logvar = self.encode_scanner(read, batch.anchors)
        z_s = reparametrise(z_s_mean, z_s_logvar, draw(z_s_mean))
        many = z_s.repeat_interleave(patches, 0)
        mean_s = z_s_mean.detach().repeat_interleave(patches, 0)
        z_b_mean, z_b_logvar, features = self.encode_biology(image, mean_s)
        z_b = reparametrise(z_b_mean, z_b_logvar, draw(z_b_mean))
        mean, log_sd = self.decode(z_b, many, features)
        return Outcome(
            image=image[:, 1],
            mean=mean,
            log_sd=log_sd,
            z_b=(z_b_mean, z_b_logvar, z_b),
            z_s=(z_s_mean, z_s_logvar, z_s),
            knots=self.head.knots(z_s),
            power=power,
            counts=counts,
            log_spectrum=self.head.log_spectrum(many),
        )


def grid_side(network: Network) -> int:
    """Pixels on a side of a patch on the common grid: a whole number of strides."""
    return STRIDE * max(1, round(network.patch_mm / network.grid_mm / STRIDE))


def resampled(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Images (n, c, h, w) on another grid over the same rectangle (bilinear, no aliasing)."""
    if tuple(image.shape[-2:]) == tuple(shape):
        return image
    return functional.interpolate(
        image, size=tuple(shape), mode="bilinear", align_corners=False, antialias=True
    )


def _gaussian(sigma: float) -> Tensor:
    reach = max(1, round(3.0 * sigma))
    place = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (place / max(sigma, 1e-3)).square())
    return weights / weights.sum()


def _blurred(image: Tensor, kernel: Tensor) -> Tensor:
    channels, reach = image.shape[1], len(kernel) // 2
    rows = kernel.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = kernel.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1)
    image = functional.pad(image, (reach, reach, reach, reach), mode="replicate")
    image = functional.conv2d(image, rows, groups=channels)
    return functional.conv2d(image, columns, groups=channels)
