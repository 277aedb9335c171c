"""Noise of a scan: standard deviation, noise power spectrum, correlation between slices.

Power spectra follow ICRU report 87 and AAPM TG-233: NPS = dx dy / sum(w^2) * mean |DFT(w * d)|^2,
d being a detrended patch and w its window, so that the integral over frequency is the variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from scipy import ndimage, stats

from ctharmony.quality import half_plane
from ctharmony.quality.histogram import mode, parabola_offset
from ctharmony.quality.patches import (
    TREND_TERMS,
    corners_inside,
    cut,
    detrended,
    sides_px,
    thinned,
    tiles,
)

CANDIDATES = 25  # patches looked at for each one that may be used
FREQUENCY_STEP = 0.025
FREQUENCIES = 0.0125 + FREQUENCY_STEP * np.arange(40)


@dataclass(frozen=True)
class NoiseSettings:
    """How noise is measured.

    Attributes:
        tissue_hu: (low, high) mean of a patch that counts as soft tissue, HU.
        block_mm: side of the blocks whose spread gives the noise SD, mm.
        patch_mm: side of the patches of the noise power spectrum, mm.
        spectrum_patch_mm: side of the patches of the whole-body spectrum, mm.
        sd_ratio: a patch is homogeneous while its SD stays below this many times the noise SD.
        min_patches: fewer homogeneous patches give no spectrum.
        max_patches: more are thinned out evenly.
        min_body_fraction: share of body in a patch of the whole-body spectrum.
    """

    tissue_hu: tuple[float, float]
    block_mm: float
    patch_mm: float
    spectrum_patch_mm: float
    sd_ratio: float
    min_patches: int
    max_patches: int
    min_body_fraction: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "NoiseSettings":
        """Read a config block with exactly these keys."""
        return cls(**{**content, "tissue_hu": tuple(content["tissue_hu"])})


def noise_sd(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: NoiseSettings
) -> float:
    """Noise SD in HU: the mode of the SD of small soft-tissue blocks (Christianson 2015).

    Args:
        hu: (slices, rows, columns) HU.
        body: bool, same shape.
        spacing: (dz, dy, dx) mm.
        how: sizes and thresholds.

    Returns:
        SD in HU after removal of each block's mean; NaN without enough blocks.
    """
    sides = sides_px(how.block_mm, spacing)
    spread = np.concatenate(
        [_soft_spread(hu[z : z + 1], body[z : z + 1], sides, how) for z in range(len(hu))]
    )
    if spread.size < 20:
        return float("nan")
    typical = float(np.percentile(spread, 25))
    return mode(spread, (0.2 * typical, 3 * typical), 0.08 * typical) if typical > 0 else 0.0


def _soft_spread(
    hu: np.ndarray, body: np.ndarray, sides: tuple[int, int], how: NoiseSettings
) -> np.ndarray:
    """(n,) SD of the blocks of one slice that lie in soft tissue."""
    values = tiles(hu, sides)[tiles(body, sides).all(axis=1)].astype(np.float32)
    means = values.mean(axis=1)
    soft = (means > how.tissue_hu[0]) & (means < how.tissue_hu[1])
    return values[soft].std(axis=1, ddof=1)


def homogeneous_patches(
    hu: np.ndarray,
    body: np.ndarray,
    spacing: tuple[float, float, float],
    how: NoiseSettings,
    sd: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Places of soft-tissue patches without structure, and the patches.

    Args:
        hu, body, spacing, how: as for `noise_sd`.
        sd: what `noise_sd` gives for them, HU, where it is known already.

    Returns:
        (n, 3) first slice, row, column of each patch; (n, rows, columns) float32 HU, detrended by
        a second-order surface.
    """
    sides = sides_px(how.patch_mm, spacing)
    # most candidates fall away: many are looked at, but not all of a long scan
    corners = corners_inside(body, sides, 1.0)
    corners = corners[thinned(np.arange(len(corners)), CANDIDATES * how.max_patches)]
    patches = cut(hu, corners, sides)
    means = patches.mean(axis=(1, 2))
    soft = (means > how.tissue_hu[0]) & (means < how.tissue_hu[1])
    corners, patches = corners[soft], detrended(patches[soft])
    if len(patches) == 0:
        return corners, patches
    sd = noise_sd(hu, body, spacing, how) if sd is None else sd
    plain = patches.std(axis=(1, 2)) < how.sd_ratio * sd
    # anatomy hides under strong noise, but not once the noise is averaged out
    coarse = _structure(patches, sides_px(how.block_mm / 2, spacing, 2))
    plain &= coarse < how.sd_ratio * _usual(coarse)
    kept = thinned(np.flatnonzero(plain), how.max_patches)
    return corners[kept], patches[kept]


def power_spectrum(
    patches: np.ndarray, spacing: tuple[float, float, float], least: int = 1
) -> np.ndarray:
    """Radial power spectrum of zero-mean patches on FREQUENCIES, HU^2 mm^2.

    Args:
        patches: (n, rows, columns) HU.
        spacing: (dz, dy, dx) mm; the patches lie in the slice.
        least: of fewer patches nothing is told.

    Returns:
        (40,) float64, NaN beyond the Nyquist frequency or with too few patches.
    """
    if len(patches) < least:
        return np.full(FREQUENCIES.size, np.nan)
    rows, columns = patches.shape[1:]
    window = np.outer(_hann(rows), _hann(columns)).astype(np.float32)
    # padded so that every ring of the fixed grid holds samples
    size = [scipy.fft.next_fast_len(int(2.0 / (FREQUENCY_STEP * mm))) for mm in spacing[1:]]
    size = [max(length, side) for length, side in zip(size, (rows, columns), strict=True)]
    power = np.zeros((size[0], size[1] // 2 + 1))
    for part in np.array_split(patches, -(-len(patches) // 64)):
        transformed = scipy.fft.rfft2(part * window, s=size)
        power += (transformed.real**2 + transformed.imag**2).sum(axis=0, dtype=np.float64)
    power *= spacing[1] * spacing[2] / (len(patches) * np.square(window, dtype=np.float64).sum())
    curve = half_plane.radial(power, size, spacing[1:], FREQUENCY_STEP, FREQUENCIES.size)
    curve[0.5 / max(spacing[1:]) < FREQUENCIES] = np.nan
    return curve


def noise_power(
    patches: np.ndarray, spacing: tuple[float, float, float], how: NoiseSettings
) -> np.ndarray:
    """Radial power spectrum of what `homogeneous_patches` kept, HU^2 mm^2, on FREQUENCIES.

    The selection drops patches that are rough by chance, too. A chi-square variable of n degrees
    of freedom below a limit has F_n+2(limit) / F_n(limit) of its mean; that loss is given back to
    the power that block means carry, sinc^2.
    """
    spectrum = power_spectrum(patches, spacing)
    sides = sides_px(how.block_mm / 2, spacing, 2)
    blocks = (patches.shape[1] // sides[0]) * (patches.shape[2] // sides[1])
    if (freedom := blocks - TREND_TERMS) < 2:
        return spectrum
    limit = how.sd_ratio**2 * (freedom - 1)  # the mode of the SD is sqrt((n - 1) / n) of its size
    kept = stats.chi2.cdf(limit, freedom + 2) / stats.chi2.cdf(limit, freedom)
    carried = np.sinc(FREQUENCIES * sides[1] * spacing[2]) ** 2
    return spectrum * (1 + (1 / kept - 1) * carried)


def spectrum_of_body(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: NoiseSettings
) -> np.ndarray:
    """Radial power spectrum of the body with its edges, HU^2 mm^2, on FREQUENCIES."""
    sides = sides_px(how.spectrum_patch_mm, spacing)
    corners = corners_inside(body, sides, how.min_body_fraction)
    corners = corners[thinned(np.arange(len(corners)), how.max_patches)]
    patches = cut(hu, corners, sides)
    return power_spectrum(patches - patches.mean(axis=(1, 2), keepdims=True), spacing)


def peak_and_mean_frequency(spectrum: np.ndarray) -> tuple[float, float]:
    """Peak and mean frequency, cycles/mm, of a spectrum on FREQUENCIES (TG-233: f weighted by it).

    NaN without a spectrum.
    """
    known = np.flatnonzero(np.isfinite(spectrum))
    if known.size < 3 or not spectrum[known].sum() > 0:
        return float("nan"), float("nan")
    values, frequencies = spectrum[known], FREQUENCIES[known]
    smooth = ndimage.gaussian_filter1d(values, 1.0, mode="nearest")
    top = int(np.clip(smooth.argmax(), 1, known.size - 2))
    offset = np.clip(parabola_offset(smooth[top - 1 : top + 2]), -1, 1)
    peak = frequencies[top] + FREQUENCY_STEP * offset
    return float(peak), float((frequencies * values).sum() / values.sum())


def slice_correlation(hu: np.ndarray, corners: np.ndarray, patches: np.ndarray) -> float:
    """Correlation of the noise of neighbouring slices at the places of homogeneous patches.

    Args:
        hu: (slices, rows, columns) HU.
        corners: (n, 3) first slice, row, column.
        patches: (n, rows, columns) detrended patches there.

    Returns:
        Pearson correlation pooled over patches; NaN without a next slice.
    """
    has_next = corners[:, 0] + 1 < hu.shape[0] if len(corners) else np.zeros(0, dtype=bool)
    if not has_next.any():
        return float("nan")
    here = patches[has_next]
    after = detrended(cut(hu, corners[has_next] + np.array([1, 0, 0]), patches.shape[1:]))
    alike = after.std(axis=(1, 2)) < 1.5 * here.std(axis=(1, 2))
    if not alike.any():
        return float("nan")
    here, after = here[alike].astype(np.float64), after[alike].astype(np.float64)
    return float((here * after).sum() / np.sqrt((here**2).sum() * (after**2).sum()))


def _structure(patches: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """(n,) SD of the block means of each patch."""
    means = tiles(patches, sides).mean(axis=1)
    return means.reshape(len(patches), -1).std(axis=1)


def _usual(spread: np.ndarray) -> float:
    """Most frequent of positive values; where most are large, not far above the least."""
    least = float(np.percentile(spread, 5))
    if least <= 0:
        return least
    frequent = mode(spread, (0.2 * least, 6 * least), 0.1 * least)
    return min(frequent, 1.3 * least) if np.isfinite(frequent) else 1.3 * least


def _hann(length: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
