"""Signal and noise of a slice, told apart in a few bands of spatial frequency.

In each band the local power E of the slice is compared with the power N that the scanner's noise
alone would have there; max(0, 1 - (m N / E)^2) of it is signal, with a margin m: an empirical
Wiener filter, local in space and in frequency, that is deaf to chance fluctuations of the power.
The signal part then takes the signal's gain, the rest the noise's.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.fft
from scipy import ndimage

from ctharmony.harmonization.blocks import in_blocks, spread_out
from ctharmony.harmonization.gains import Gains
from ctharmony.quality import half_plane

PAD = 8  # voxels; more than half of any kernel that the caps allow
POWER_FLOOR = 1e-6
SAME_GAIN = 0.01  # a band whose two gains differ by less needs no separation
BLOCK = 24  # voxels; blocks whose median amplitude gives the local noise level
MEASURABLE_POWER = 1.0  # HU^2; rounding to whole HU has 1/12
NORMAL_MEDIAN = 0.6745  # median of |standard normal|


@dataclass(frozen=True)
class BandSettings:
    """How slices are taken apart.

    Attributes:
        edges_per_mm: centres of the cosine-shaped passages between bands, cycles/mm, increasing;
            everything below the first is signal.
        window_cycles: side of the window that measures local power, in periods of the band.
        noise_margin: power below this many times the noise's is noise (>= 1).
    """

    edges_per_mm: tuple[float, ...]
    window_cycles: float
    noise_margin: float


@dataclass(frozen=True)
class Band:
    """One band of a plan: `window` (half plane), noise power in HU^2, side of the local mean."""

    window: np.ndarray
    noise_power: float
    side: int
    same_gain: bool


@dataclass(frozen=True)
class Plan:
    """Everything that is equal for all slices of a scan.

    Attributes:
        shape: rows, columns of the slices.
        padded: rows, columns of the transform.
        signal, noise: gains on the half plane of the transform, float32.
        bands: from low to high frequency; the lowest, all signal, is not listed.
        margin: see `BandSettings.noise_margin`.
        lung: what the lung's noise is multiplied by besides, less 1, on the half plane; or None.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    signal: np.ndarray
    noise: np.ndarray
    bands: tuple[Band, ...]
    margin: float
    lung: np.ndarray | None = None


def make_plan(
    shape: tuple[int, int],
    spacing: tuple[float, float],
    gains: Gains,
    nps: np.ndarray,
    settings: BandSettings,
) -> Plan:
    """Filters for slices of `shape` with in-plane `spacing` (dy, dx) in mm.

    Args:
        shape: rows, columns.
        spacing: mm.
        gains: signal and noise factors per frequency.
        nps: (bins,) noise power of the scan on `gains.frequencies`, HU^2 mm^2, finite.
        settings: bands.
    """
    padded = tuple(scipy.fft.next_fast_len(n + 2 * PAD, real=True) for n in shape)
    frequency = half_plane.frequencies(padded, spacing)
    at = np.append(0.0, gains.frequencies)
    signal, noise, power = (
        np.interp(frequency, at, np.append(start, curve)).astype(np.float32)
        for start, curve in ((1.0, gains.signal), (1.0, gains.noise), (0.0, nps))
    )
    cell = _cell(padded, spacing)
    bands = []
    edges = edges_within(settings.edges_per_mm, 0.5 / max(spacing))
    for window, centre in zip(partition(frequency, edges), edges[1:], strict=True):
        bands.append(
            Band(
                window=window,
                noise_power=float((power * window**2 * cell).sum()),
                side=max(3, round(settings.window_cycles / centre / spacing[0])),
                same_gain=bool(np.abs(window * (signal - noise)).max() < SAME_GAIN),
            )
        )
    return Plan(tuple(shape), padded, signal, noise, tuple(bands), settings.noise_margin)


def with_lung(
    plan: Plan, spacing: tuple[float, float], frequencies: np.ndarray, factor: np.ndarray | None
) -> Plan:
    """The plan with a factor (bins,) on the lung's noise; without one it stays as it is."""
    if factor is None or np.abs(factor - 1.0).max() < SAME_GAIN:
        return plan
    radius = half_plane.frequencies(plan.padded, spacing)
    # 1 at frequency 0: a region's mean is the calibration's business
    whole = np.interp(radius, np.append(0.0, frequencies), np.append(1.0, factor))
    return replace(plan, lung=(whole - 1.0).astype(np.float32))


def _cell(padded: tuple[int, int], spacing: tuple[float, float]) -> np.ndarray:
    """Weights (1, columns), 1/mm^2, that integrate a half plane's power over the whole plane."""
    counts = half_plane.counts(padded[1], spacing[1])
    return counts / (padded[0] * spacing[0] * padded[1] * spacing[1])


def carry(
    plane: np.ndarray, plan: Plan, mean: np.ndarray | None = None, lung: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A slice with its signal and its noise each multiplied by their gains.

    Args:
        plane: (rows, columns) float32 HU.
        plan: of `make_plan` for this shape.
        mean: a noise-free slice to which the signal's gain is applied, and which is added.
        lung: (rows, columns) 0 to 1, how much of a place is lung, where the plan has its factor.

    Returns:
        the carried slice, and the SD of the noise it still holds, both (rows, columns) HU.
    """
    transformed = _forward(plane, plan)
    low = 1.0 - sum(band.window for band in plan.bands)
    base = transformed * (plan.noise + low * (plan.signal - plan.noise))
    if mean is not None:
        base += _forward(mean, plan) * plan.signal
    result, kept = _back(base, plan), np.zeros(plan.shape, dtype=np.float32)
    gauge = _gauge_band(plan)
    gauged = _back(transformed * gauge.window, plan)
    level = _noise_level(gauged, gauge)
    for band in plan.bands:
        signal, noise = (_mean_gain(gain, band) for gain in (plan.signal, plan.noise))
        if band.same_gain and (lung is None or band is not plan.bands[-1]):
            kept += np.float32(band.noise_power * noise**2)
            continue
        inside = transformed * band.window
        share = _signal_share(
            gauged if band is gauge else _back(inside, plan), band, level, plan.margin
        )
        result += share * _back(inside * (plan.signal - plan.noise), plan)
        kept += band.noise_power * np.square(noise + share * (signal - noise))
    if lung is not None:
        # in the highest band alone: below, the lung's own structure outweighs its noise
        result += lung * (1.0 - share) * _back(inside * (plan.noise * plan.lung), plan)
    return result, np.sqrt(kept * level)


def filtered(plane: np.ndarray, plan: Plan) -> np.ndarray:
    """A noise-free slice with the signal's gain alone, (rows, columns) HU."""
    return _back(_forward(plane, plan) * plan.signal, plan)


def _gauge_band(plan: Plan) -> Band:
    """The highest band in which the scanner's noise stands clear of rounding to whole HU."""
    clear = [band for band in plan.bands if band.noise_power > MEASURABLE_POWER]
    return clear[-1] if clear else plan.bands[0]


def _signal_share(
    band_slice: np.ndarray, band: Band, level: np.ndarray, margin: float
) -> np.ndarray:
    power = ndimage.uniform_filter(np.square(band_slice), band.side, mode="nearest")
    noise = margin * band.noise_power * level
    return np.clip(1.0 - (noise / np.maximum(power, POWER_FLOOR)) ** 2, 0.0, 1.0)


def _noise_level(highest: np.ndarray, band: Band) -> np.ndarray:
    """Local noise power over the scan's mean, (rows, columns), from the highest band.

    Medians of the amplitude over blocks: edges fill less than half of most blocks.
    """
    blocks = in_blocks(np.abs(highest), BLOCK)
    sd = np.median(blocks, axis=-1) / NORMAL_MEDIAN
    level = ndimage.gaussian_filter(sd**2, 0.7, mode="nearest") / max(band.noise_power, POWER_FLOOR)
    return spread_out(np.clip(level, 0.05, 4.0), highest.shape, BLOCK)


def _mean_gain(gain: np.ndarray, band: Band) -> float:
    return float((gain * band.window).sum() / band.window.sum())


def partition(radius: np.ndarray, edges: tuple[float, ...]) -> list[np.ndarray]:
    """Windows above each edge that, with the part below the first, add up to one."""
    passages = [_passage(radius, low, high) for low, high in pairwise(edges)]
    windows = [
        above - beyond
        for above, beyond in zip(passages, [*passages[1:], np.zeros_like(radius)], strict=True)
    ]
    return [window.astype(np.float32) for window in windows]


def _passage(radius: np.ndarray, low: float, high: float) -> np.ndarray:
    along = np.clip((radius - low) / (high - low), 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * along)


def edges_within(edges: tuple[float, ...], nyquist: float) -> tuple[float, ...]:
    """The passages that a scan with this Nyquist frequency has; the first two always."""
    return tuple(edge for place, edge in enumerate(edges) if place < 2 or edge < nyquist)


def _forward(plane: np.ndarray, plan: Plan) -> np.ndarray:
    rows, columns = (p - n for p, n in zip(plan.padded, plan.shape, strict=True))
    padding = ((PAD, rows - PAD), (PAD, columns - PAD))
    return scipy.fft.rfft2(np.pad(plane, padding, mode="reflect"))


def _back(transformed: np.ndarray, plan: Plan) -> np.ndarray:
    whole = scipy.fft.irfft2(transformed, s=plan.padded)
    return whole[PAD : PAD + plan.shape[0], PAD : PAD + plan.shape[1]]
