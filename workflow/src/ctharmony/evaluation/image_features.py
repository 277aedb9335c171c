"""What a probe sees of an image: grey values, noise and spectra, each a number with a name.

All come from the body and lung masks; nothing depends on the size of the matrix or the table.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ctharmony.quality.noise import (
    FREQUENCIES,
    NoiseSettings,
    homogeneous_patches,
    noise_sd,
    power_spectrum,
    spectrum_of_body,
)

BODY, LUNG = 1, 2
QUANTILES = (5, 10, 25, 50, 75, 90, 95)
STRIDE = 2  # every second voxel of a row: quantiles of half a million voxels move by < 0.1 HU


@dataclass(frozen=True)
class ImageFeatureSettings:
    """How image features are measured.

    Attributes:
        noise: sizes of patches and what counts as homogeneous.
        band_edges: increasing edges of the frequency bands, cycles/mm.
    """

    noise: NoiseSettings
    band_edges: tuple[float, ...]


def image_features(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: ImageFeatureSettings,
) -> dict[str, float]:
    """Named features of a scan; what a scan cannot give (no lung, no flat tissue) is NaN.

    Args:
        hu: (slices, rows, columns) HU.
        labels: same shape: 0 outside, 1 body, 2 lung.
        spacing: (dz, dy, dx) mm.
        how: patches and bands.

    Returns:
        `image_body_q50` and the like in HU, `image_noise_sd` in HU, and natural logarithms of
        the mean power (HU^2 mm^2) in every band: `image_nps_0..` of flat soft tissue,
        `image_spectrum_0..` of the body, `image_lung_0..` of the lung.
    """
    body, lung = labels == BODY, labels == LUNG
    found = quantiles(hu, body, "image_body") | quantiles(hu, lung, "image_lung")
    found["image_noise_sd"] = noise_sd(hu, body, spacing, how.noise)
    _, patches = homogeneous_patches(hu, body, spacing, how.noise)
    curves = {
        "image_nps": power_spectrum(patches, spacing, how.noise.min_patches),
        "image_spectrum": spectrum_of_body(hu, labels > 0, spacing, how.noise),
        "image_lung": spectrum_of_body(hu, lung, spacing, how.noise),
    }
    for name, curve in curves.items():
        found |= bands(curve, how.band_edges, name)
    return found


def quantiles(hu: np.ndarray, inside: np.ndarray, name: str) -> dict[str, float]:
    """Percentiles of the voxels inside a mask, HU; NaN for an empty mask."""
    values = hu[..., ::STRIDE][inside[..., ::STRIDE]]
    found = np.percentile(values, QUANTILES) if values.size else np.full(len(QUANTILES), np.nan)
    return {f"{name}_q{q:02d}": float(value) for q, value in zip(QUANTILES, found, strict=True)}


def bands(curve: np.ndarray, edges: Sequence[float], name: str) -> dict[str, float]:
    """Natural logarithm of the mean of a spectrum on FREQUENCIES in every band; NaN where unknown.

    Args:
        curve: (40,) power, HU^2 mm^2, NaN beyond Nyquist.
        edges: increasing, cycles/mm.
        name: prefix of the names.
    """
    found = {}
    for index, (low, high) in enumerate(pairwise(edges)):
        part = curve[np.greater_equal(FREQUENCIES, low) & np.less(FREQUENCIES, high)]
        known = np.isfinite(part).any() and np.nanmean(part) > 0
        found[f"{name}_{index}"] = float(np.log(np.nanmean(part))) if known else float("nan")
    return found


def spectral_distance(first: np.ndarray, second: np.ndarray, highest: float) -> float:
    """Distance of two spectra on FREQUENCIES: RMS of the log ratio below `highest` cycles/mm, nats.

    0 for equal spectra, ln 2 where one is everywhere twice the other; NaN where either is unknown.
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        ratio = np.log(first / second)[np.less(FREQUENCIES, highest)]
        return float(np.sqrt(np.nanmean(np.where(np.isfinite(ratio), ratio, np.nan) ** 2)))


def cut(hu: np.ndarray, corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Patches (n, rows, columns) of `hu` whose first (slice, row, column) are `corners` (n, 3)."""
    found = [hu[z, y : y + shape[0], x : x + shape[1]] for z, y, x in corners]
    return np.array(found, dtype=np.float32).reshape(len(corners), *shape)
