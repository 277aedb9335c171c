"""Slice thickness: the one blur that lies across the slices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import correlate1d

LEAST_REACH = 3  # slices on either side that kriging uses at least
LARGEST_SHARE = 0.12  # of each neighbour; beyond, three slices are too few
SAME_SHARE = 0.01  # thicknesses that differ by less than this share are equal
HIGHEST_PER_MM, STEP_PER_MM = 4.0, 0.002  # the frequencies that are summed over


@dataclass(frozen=True)
class ThroughPlane:
    """What is known of anatomy and noise across the slices.

    Attributes:
        anatomy_mm: correlation length of anatomy.
        noise_share: SD of noise over that of anatomy; more of it sharpens less.
    """

    anatomy_mm: float
    noise_share: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ThroughPlane":
        """Read the block `through_plane` of the transport settings."""
        return cls(float(content["anatomy_mm"]), float(content["noise_share"]))


def slice_weights(
    source_mm: float, target_mm: float, slice_spacing_mm: float, known: ThroughPlane
) -> np.ndarray:
    """Weights (odd number,) of a slice and its neighbours that give the slice of another thickness.

    They sum to 1, so that HU are kept. Toward slightly thicker slices three of them add the
    variance by which two uniform slice profiles differ: exact where anatomy is smooth over a
    slice. Toward much thicker ones and thinner ones kriging takes its place, which weighs what
    more slices can tell against their noise.

    Args:
        source_mm, target_mm: slice thickness; NaN, or equal ones, give the slice itself.
        slice_spacing_mm: distance between slice centres.
        known: see `ThroughPlane`.
    """
    if not abs(target_mm - source_mm) > SAME_SHARE * source_mm:
        return np.array([0.0, 1.0, 0.0])
    # a uniform profile of width T has the variance T^2 / 12, the three taps 2 share d^2
    share = (target_mm**2 - source_mm**2) / (24.0 * slice_spacing_mm**2)
    if 0.0 < share <= LARGEST_SHARE:
        return np.array([share, 1.0 - 2.0 * share, share])
    return _kriged(source_mm, target_mm, slice_spacing_mm, known)


def _kriged(
    source_mm: float, target_mm: float, slice_spacing_mm: float, known: ThroughPlane
) -> np.ndarray:
    """Ordinary kriging (Cressie 1993, section 3.2) of a slice from slices of another thickness.

    Anatomy has an exponential covariance across the slices, a slice of thickness T is its mean
    over T, and the noise of overlapping slices is correlated as they overlap.
    """
    frequencies = np.arange(STEP_PER_MM / 2, HIGHEST_PER_MM, STEP_PER_MM)
    power = 1.0 / (1.0 + (2.0 * np.pi * frequencies * known.anatomy_mm) ** 2)
    power /= power.sum()
    seen, wanted = np.sinc(frequencies * source_mm), np.sinc(frequencies * target_mm)
    reach = max(LEAST_REACH, int(np.ceil(target_mm / slice_spacing_mm / 2.0)) + 1)
    places = slice_spacing_mm * np.arange(-reach, reach + 1)
    lags = np.subtract.outer(places, places)
    system = np.ones((len(places) + 1, len(places) + 1))
    system[-1, -1] = 0.0
    system[:-1, :-1] = _cosine_sum(power * seen**2, frequencies, lags)
    system[:-1, :-1] += known.noise_share**2 * _overlap(lags, source_mm)
    crossed = _cosine_sum(power * seen * wanted, frequencies, places)
    return np.linalg.solve(system, np.append(crossed, 1.0))[:-1]


def noise_factor(weights: np.ndarray, slice_spacing_mm: float, source_mm: float) -> float:
    """SD of noise after `blend_slices` over that before."""
    if not np.isfinite(source_mm):
        return 1.0
    places = slice_spacing_mm * np.arange(len(weights))
    overlap = _overlap(np.subtract.outer(places, places), source_mm)
    return float(np.sqrt(max(weights @ overlap @ weights, 0.0)))


def blend_slices(hu: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Apply `slice_weights` along the first axis of (slices, rows, columns); end slices repeat."""
    if weights[len(weights) // 2] == 1.0 or len(hu) < 2:
        return hu
    return correlate1d(hu, weights, axis=0, mode="nearest")


def _cosine_sum(power: np.ndarray, frequencies: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """The covariance that belongs to a power spectrum, at `lags` (any shape)."""
    return np.cos(2.0 * np.pi * frequencies * lags[..., None]) @ power


def _overlap(lags: np.ndarray, thickness: float) -> np.ndarray:
    """Share of their data that two slices of a thickness have in common."""
    return np.clip(1.0 - np.abs(lags) / thickness, 0.0, None)
