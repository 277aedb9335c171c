"""Patches in a few numbers each: shares of grey values and power in frequency bands.

A linear probe on them tells places of one image apart and can be taken to pieces: grey values or
one band at a time. They are cheap enough for every place of a slice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft

from ctharmony.evaluation.explanation import band_name
from ctharmony.quality import half_plane
from ctharmony.quality.patches import detrended

GREY = "patch_grey_values"
MIXED = "mixed"
FLOOR = 1e-3  # HU^2: power of an image that was made without noise


@dataclass(frozen=True)
class DescriptorSettings:
    """What is counted in a patch.

    Attributes:
        pixel_mm: side of a pixel, mm.
        grey_edges_hu: inner edges of the classes of grey values, increasing, HU.
        band_edges_per_mm: edges of the frequency bands, increasing, cycles/mm.
        tissues_hu: name -> (low, high) HU of the mean in the middle of a patch.
    """

    pixel_mm: float
    grey_edges_hu: tuple[float, ...]
    band_edges_per_mm: tuple[float, ...]
    tissues_hu: Mapping[str, tuple[float, float]]

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Kind of evidence -> columns of the descriptors."""
        count = len(self.grey_edges_hu) + 1
        bands = [band_name(*edges) for edges in pairwise(self.band_edges_per_mm)]
        return {GREY: np.arange(count)} | {
            name: np.array([count + index]) for index, name in enumerate(bands)
        }


def described(patches: np.ndarray, how: DescriptorSettings) -> np.ndarray:
    """Descriptors (n, numbers) float32 of patches (n, pixels, pixels), HU.

    Shares of pixels in every class of grey values, then the natural logarithm of the mean power
    (HU^2) of every band, under a Hann window and less a second-order surface.
    """
    patches = np.asarray(patches, dtype=np.float32)
    flat = patches.reshape(len(patches), patches.shape[1] * patches.shape[2])
    kinds = np.searchsorted(how.grey_edges_hu, flat, side="right")
    shares = [(kinds == kind).mean(axis=1) for kind in range(len(how.grey_edges_hu) + 1)]
    return np.column_stack([*shares, *_log_powers(patches, how)]).astype(np.float32)


def _log_powers(patches: np.ndarray, how: DescriptorSettings) -> list[np.ndarray]:
    side = patches.shape[-1]
    if not len(patches):
        return [np.zeros(0) for _ in pairwise(how.band_edges_per_mm)]
    # periodic, so that its side lobes fall on the grid of frequencies
    taper = np.hanning(side + 1)[:-1]
    power = np.abs(fft.rfft2(detrended(patches) * np.outer(taper, taper))) ** 2 / side**2
    radius = half_plane.frequencies((side, side), (how.pixel_mm,) * 2)
    inside = [(radius >= low) & (radius < high) for low, high in pairwise(how.band_edges_per_mm)]
    means = [power[:, band].mean(axis=1) if band.any() else 0 * power[:, 0, 0] for band in inside]
    return [np.log(mean + FLOOR) for mean in means]


def tissue_of(patches: np.ndarray, how: DescriptorSettings) -> np.ndarray:
    """Tissue (n,) by the mean in the middle third of each patch (n, pixels, pixels), or `mixed`."""
    third = patches.shape[-1] // 3
    middle = patches[:, third : patches.shape[1] - third, third : patches.shape[2] - third]
    mean = middle.astype(np.float32).mean(axis=(1, 2))
    found = np.full(len(patches), MIXED, dtype=object)
    for name, (low, high) in how.tissues_hu.items():
        found[(mean >= low) & (mean <= high)] = name
    return found.astype(str)
