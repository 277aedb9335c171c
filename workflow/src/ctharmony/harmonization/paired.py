"""The bound for linear methods where the same patient was seen by both scanners."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy import ndimage

from ctharmony.harmonization import bands
from ctharmony.harmonization.calibration import HIGHEST_HU, LOWEST_HU, HuCurve
from ctharmony.harmonization.gains import Gains
from ctharmony.quality import half_plane
from ctharmony.quality.noise import FREQUENCIES, FREQUENCY_STEP

SMOOTH_MM = 2.0
CURVE_STEP_HU = 50.0
MIN_VOXELS = 200


@dataclass(frozen=True)
class Pair:
    """One patient on two scanners: `source`, `target` (slices, rows, columns) HU on one grid,
    `body` bool, `spacing` (dz, dy, dx) mm."""

    source: np.ndarray
    target: np.ndarray
    body: np.ndarray
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class PairedWiener:
    """A HU curve followed by the radial filter of least squared error.

    Attributes:
        curve: source HU to target HU, fitted on smoothed images.
        gain: (40,) filter on `quality.noise.FREQUENCIES`.
    """

    curve: HuCurve
    gain: np.ndarray

    def __call__(self, hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
        """Apply to (slices, rows, columns) HU with `spacing` (dz, dy, dx) mm."""
        none = np.zeros_like(self.gain)
        plan = bands.make_plan(
            hu.shape[1:],
            spacing[1:],
            Gains(FREQUENCIES, self.gain, self.gain, none, none),
            none,
            bands.BandSettings((0.1, 0.3), window_cycles=1.0, noise_margin=1.0),
        )
        filtered = np.stack([bands.filtered(plane, plan) for plane in self.curve(hu)])
        return np.clip(filtered, LOWEST_HU, HIGHEST_HU)


def fit_paired_wiener(pairs: Sequence[Pair]) -> PairedWiener:
    """Fit curve and filter on training pairs.

    The filter is sum Re(conj(X) Y) / sum |X|^2 per ring, the Wiener solution without phase.

    Raises:
        ValueError: no pair was given.
    """
    if not pairs:
        raise ValueError("a paired filter needs at least one pair of scans of the same patient")
    curve = _fit_curve(pairs)
    cross, power = np.zeros(len(FREQUENCIES) + 1), np.zeros(len(FREQUENCIES) + 1)
    for pair in pairs:
        for source, target in zip(curve(pair.source), pair.target, strict=True):
            sums = _ring_sums(source, target, pair.spacing)
            cross += sums[0]
            power += sums[1]
    known = power[:-1] > 0
    ratio = cross[:-1][known] / power[:-1][known]
    return PairedWiener(curve, np.interp(FREQUENCIES, FREQUENCIES[known], ratio))


def _fit_curve(pairs: Sequence[Pair]) -> HuCurve:
    """Mean target HU for each step of source HU, both smoothed, made increasing."""
    smooth = [_smoothed(pair) for pair in pairs]
    source = np.concatenate([values[0] for values in smooth])
    target = np.concatenate([values[1] for values in smooth])
    bins = np.rint(source / CURVE_STEP_HU).astype(int)
    bins -= bins.min()
    count = np.bincount(bins)
    enough = count >= MIN_VOXELS
    at, to = (np.bincount(bins, values)[enough] / count[enough] for values in (source, target))
    to = np.maximum.accumulate(to + 1e-3 * np.arange(len(to)))
    return HuCurve(tuple(at.tolist()), tuple(to.tolist()))


def _smoothed(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    sigma = (0.0, SMOOTH_MM / pair.spacing[1], SMOOTH_MM / pair.spacing[2])
    volumes = (ndimage.gaussian_filter(volume, sigma) for volume in (pair.source, pair.target))
    first, second = (volume[pair.body] for volume in volumes)
    return first, second


def _ring_sums(
    source: np.ndarray, target: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (scipy.fft.rfft2(plane) for plane in (source, target))
    frequency = half_plane.frequencies(source.shape, spacing[1:])
    ring = np.floor(frequency / FREQUENCY_STEP).astype(int).ravel()
    ring = np.minimum(ring, len(FREQUENCIES))
    length = len(FREQUENCIES) + 1
    cross = np.bincount(ring, (first.conj() * second).real.ravel(), minlength=length)
    power = np.bincount(ring, (first.conj() * first).real.ravel(), minlength=length)
    return cross, power
