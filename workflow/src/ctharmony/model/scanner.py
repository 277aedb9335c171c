"""The scanner's side: q(z_s|x), p(z_s|site), and what z_s means in physical units."""

import math

import torch
from torch import Tensor, nn

from ctharmony.model.curve import increasing
from ctharmony.model.spectrum import FREQUENCIES, N_FREQUENCIES

N_PATCH_FEATURES = int((FREQUENCIES > 0.1).sum()) + 5
FEATURE_LIMIT = 5.0  # standardised features are clipped here: far scanners must not extrapolate
LOGVAR_RANGE = (-6.0, 1.0)
SPECTRUM_BASIS = 10
HIDDEN = 64
UNKNOWN = -1  # index of a scanner that is none of the reference sites'


class ScannerEncoder(nn.Module):
    """q(z_s|x) from patch features averaged over a scan, and the scan's tissue anchors."""

    def __init__(self, dimensions: int, anchors: int) -> None:
        super().__init__()
        size = N_PATCH_FEATURES + anchors
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.layers = nn.Sequential(
            nn.Linear(size, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2 * dimensions)
        )

    def standardise(self, features: Tensor, anchors: Tensor) -> Tensor:
        """Features (n, patches, f) pooled over patches, anchors (n, a): (n, f + a), unseen = 0."""
        pooled = torch.cat([features.nanmean(dim=1), anchors], dim=1)
        return torch.nan_to_num((pooled - self.centre) / self.scale)

    def forward(self, standardised: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z_s, each (n, d)."""
        limited = FEATURE_LIMIT * torch.tanh(standardised / FEATURE_LIMIT)
        mean, logvar = self.layers(limited).chunk(2, dim=1)
        return mean, logvar.clamp(*LOGVAR_RANGE)


class SitePriors(nn.Module):
    """p(z_s|site): a learned diagonal Gaussian for each reference site."""

    def __init__(self, sites: int, dimensions: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(sites, dimensions))
        self.logvar = nn.Parameter(torch.full((sites, dimensions), -1.0))

    def forward(self, site: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (n, d) for site indices (n,); UNKNOWN sites get N(0, I)."""
        known = (site != UNKNOWN)[:, None]
        index = site.clamp(min=0)
        mean, logvar = self.mean[index], self.logvar[index].clamp(*LOGVAR_RANGE)
        return torch.where(known, mean, 0.0), torch.where(known, logvar, 0.0)

    def hyper_penalty(self) -> Tensor:
        """-log N(means; 0, I) without its constant, nats: site means are themselves draws."""
        return 0.5 * self.mean.square().sum()


class ScannerHead(nn.Module):
    """What z_s does to HU and to noise: a monotone HU curve and a noise power spectrum."""

    def __init__(self, dimensions: int, anchors_hu: list[float], anchor_sd: list[float]) -> None:
        super().__init__()
        self.register_buffer("tissues", torch.tensor(anchors_hu))
        self.register_buffer("reach", torch.tensor(anchor_sd))
        self.register_buffer("log_power", torch.full((N_FREQUENCIES,), math.log(100.0)))
        self.register_buffer("basis", _cosines(N_FREQUENCIES, SPECTRUM_BASIS))
        self.shift = nn.Linear(dimensions, len(anchors_hu), bias=False)
        self.power = nn.Linear(dimensions, SPECTRUM_BASIS)
        nn.init.normal_(self.shift.weight, std=0.5)
        nn.init.normal_(self.power.weight, std=0.3)
        nn.init.zeros_(self.power.bias)

    def knots(self, z_s: Tensor) -> Tensor:
        """HU that this scanner shows for each tissue of `tissues` (n, k); increasing."""
        return increasing(self.tissues, self.reach * self.shift(z_s))

    def log_spectrum(self, z_s: Tensor) -> Tensor:
        """Log noise power (n, 40) on the frequency grid, log of HU^2 mm^2."""
        return self.log_power + self.power(z_s) @ self.basis


def _cosines(length: int, count: int) -> Tensor:
    place = (torch.arange(length) + 0.5) / length
    return torch.cos(math.pi * torch.arange(count)[:, None] * place[None])
