"""Grey-value statistics of a scan: histogram, contrast, tissue modes, lung density."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ctharmony.information.discrete import entropy, kl_to_uniform

LOWEST_HU, HIGHEST_HU, BIN_HU = -1050, 2050, 10
CENTRES_HU = np.arange(LOWEST_HU, HIGHEST_HU, BIN_HU) + BIN_HU / 2


@dataclass(frozen=True)
class ModeSettings:
    """Where the modes of the tissues are looked for, HU (low, high)."""

    air_hu: tuple[float, float]
    lung_hu: tuple[float, float]
    fat_hu: tuple[float, float]
    soft_tissue_hu: tuple[float, float]


def histogram(hu: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Probabilities of the bins around CENTRES_HU inside a mask; NaN for an empty mask.

    Args:
        hu: HU, any shape.
        inside: bool, same shape.

    Returns:
        (310,) float64 that sums to 1; values beyond the range count in the end bins.
    """
    counts = np.zeros(CENTRES_HU.size)
    for part, mask in zip(np.atleast_2d(hu), np.atleast_2d(inside), strict=True):
        bins = np.floor((part[mask].astype(np.float32) - LOWEST_HU) / BIN_HU)
        bins = np.clip(bins, 0, CENTRES_HU.size - 1).astype(np.int32)
        counts += np.bincount(bins, minlength=CENTRES_HU.size)
    total = counts.sum()
    return counts / total if total else np.full(CENTRES_HU.size, np.nan)


def contrast_and_entropy(
    probabilities: np.ndarray, window_hu: tuple[float, float]
) -> tuple[float, float]:
    """D(histogram || uniform) and entropy, both in nats, of the bins inside a HU window.

    The two add up to log(number of bins) by definition. NaN when the window holds nothing.
    """
    inside = (window_hu[0] < CENTRES_HU) & (window_hu[1] > CENTRES_HU)
    part = probabilities[inside]
    if not np.isfinite(part).all() or part.sum() <= 0:
        return float("nan"), float("nan")
    return kl_to_uniform(part), entropy(part)


def mode(values: np.ndarray, window: tuple[float, float], smoothing: float) -> float:
    """Mode of the values inside a window: peak of a Gaussian kernel density, to sub-bin accuracy.

    Args:
        values: any shape.
        window: (low, high); the peak must lie inside.
        smoothing: standard deviation of the kernel, in the unit of the values.

    Returns:
        The mode, or NaN when fewer than 20 values lie inside or the density only falls or rises.
    """
    step = smoothing / 5
    edges = np.arange(window[0] - 3 * smoothing, window[1] + 3 * smoothing + step, step)
    counts, _ = np.histogram(values, bins=edges)
    centres = (edges[1:] + edges[:-1]) / 2
    density = ndimage.gaussian_filter1d(counts.astype(np.float64), 5.0, mode="constant")
    inside = np.flatnonzero((centres >= window[0]) & (centres <= window[1]))
    if counts[inside].sum() < 20:
        return float("nan")
    peak = inside[density[inside].argmax()]
    if peak in (inside[0], inside[-1]):
        return float("nan")
    return float(centres[peak] + step * parabola_offset(density[peak - 1 : peak + 2]))


def parabola_offset(three: np.ndarray) -> float:
    """Steps from the middle to the top of a parabola through three equidistant values."""
    left, middle, right = (float(value) for value in three)
    curvature = left - 2 * middle + right
    return 0.0 if curvature == 0 else 0.5 * (left - right) / curvature


def tissue_modes(
    coarse_hu: np.ndarray, coarse_labels: np.ndarray, where: ModeSettings, smoothing: float
) -> dict[str, float]:
    """Modes of air, lung, fat and soft tissue, HU, from block means (noise averaged out).

    Args:
        coarse_hu: (slices, rows, columns) block means, HU.
        coarse_labels: same shape: 0 outside, 1 body, 2 lung, 255 where a block is mixed or padding.
        where: windows.
        smoothing: kernel of the density, HU.
    """
    groups = {
        "air_mode_hu": (0, where.air_hu),
        "lung_mode_hu": (2, where.lung_hu),
        "fat_mode_hu": (1, where.fat_hu),
        "soft_tissue_mode_hu": (1, where.soft_tissue_hu),
    }
    return {
        name: mode(coarse_hu[coarse_labels == label], window, smoothing)
        for name, (label, window) in groups.items()
    }


@dataclass(frozen=True)
class BoneSettings:
    """How the level of bone is measured.

    Attributes:
        smoothing_mm: SD of the Gaussian that takes sharpness and noise out of the comparison, mm.
        top_share: share of the body, its densest, whose mean is the level.
    """

    smoothing_mm: float
    top_share: float


def bone_level(
    coarse_hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: BoneSettings
) -> float:
    """Mean of the densest part of the body, HU; NaN with fewer than 100 blocks.

    Blurred to a resolution that every scanner has, it moves with beam quality (tube voltage,
    filtration, beam-hardening correction) and hardly with kernel or dose.

    Args:
        coarse_hu: (slices, rows, columns) block means, HU.
        body: bool, same shape.
        spacing: (dz, dy, dx) of the blocks, mm.
        how: settings.
    """
    smooth = ndimage.gaussian_filter(
        coarse_hu.astype(np.float32), how.smoothing_mm / np.array(spacing)
    )
    inside = smooth[body]
    if inside.size < 100:
        return float("nan")
    count = max(1, int(how.top_share * inside.size))
    return float(np.partition(inside, inside.size - count)[-count:].mean())


def lung_density(hu: np.ndarray, lung: np.ndarray, voxel_ml: float) -> dict[str, float]:
    """Lung volume (ml), share of it below -950 HU (percent) and 15th percentile (HU).

    LAA-950 and Perc15 as in Gevenois 1996 and Dirksen 1999. Percentiles are of integer HU.
    """
    values = np.rint(hu[lung]).astype(np.int32)
    if values.size == 0:
        return {"lung_volume_ml": 0.0, "laa950_percent": np.nan, "perc15_hu": np.nan}
    lowest = int(values.min())
    cumulative = np.cumsum(np.bincount(values - lowest))
    below = int(cumulative[-950 - lowest - 1]) if lowest < -950 <= lowest + cumulative.size else 0
    below = values.size if lowest + cumulative.size <= -950 else below
    perc15 = lowest + int(np.searchsorted(cumulative, 0.15 * values.size))
    return {
        "lung_volume_ml": values.size * voxel_ml,
        "laa950_percent": 100.0 * below / values.size,
        "perc15_hu": float(perc15),
    }
