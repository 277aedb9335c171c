"""Noise that passes for signal: the separation is tried on pure noise, and its gain corrected."""

from dataclasses import replace

import numpy as np
import scipy.fft

from ctharmony.harmonization import bands
from ctharmony.harmonization.gains import Gains
from ctharmony.quality import half_plane

SIDE = 256  # voxels of the simulated slice
SEED = 7
ROUNDS = 3
LEAST, MOST = 0.2, 1.5  # of the factor on the noise gain


def corrected_noise(
    gains: Gains, spacing: tuple[float, float], nps: np.ndarray, settings: bands.BandSettings
) -> Gains:
    """Gains whose noise part makes pure noise of spectrum `nps` come out with its wanted power.

    Chance fluctuations of local power look like structure, so some noise takes the signal's gain.
    A simulated slice of noise tells how much in each band, and the noise's gain makes up for it.

    Args:
        gains: wanted factors.
        spacing: (dy, dx) mm of the scan's slices.
        nps: (bins,) noise power of the scan, HU^2 mm^2, finite.
        settings: bands of the separation.
    """
    noise = _simulated(gains.frequencies, spacing, nps)
    wanted = _band_powers(noise, _one_gain(gains, gains.noise), spacing, nps, settings)
    result = gains
    for _ in range(ROUNDS):
        found = _band_powers(noise, result, spacing, nps, settings)
        factors = np.sqrt(wanted / np.maximum(found, bands.POWER_FLOOR))
        curve = np.ones_like(gains.noise)
        edges = bands.edges_within(settings.edges_per_mm, 0.5 / max(spacing))
        for window, factor in zip(bands.partition(gains.frequencies, edges), factors, strict=True):
            curve += window * (factor - 1.0)
        limits = (LEAST * gains.noise, MOST * gains.noise)
        result = replace(result, noise=np.clip(result.noise * curve, *limits))
    return result


def _one_gain(gains: Gains, curve: np.ndarray) -> Gains:
    return replace(gains, signal=curve, noise=curve)


def _simulated(
    frequencies: np.ndarray, spacing: tuple[float, float], nps: np.ndarray
) -> np.ndarray:
    white = np.random.default_rng(SEED).standard_normal((SIDE, SIDE))
    radius = half_plane.frequencies((SIDE, SIDE), spacing)
    gain = np.sqrt(np.interp(radius, frequencies, nps) / (spacing[0] * spacing[1]))
    return scipy.fft.irfft2(scipy.fft.rfft2(white) * gain, s=white.shape).astype(np.float32)


def _band_powers(
    noise: np.ndarray,
    gains: Gains,
    spacing: tuple[float, float],
    nps: np.ndarray,
    settings: bands.BandSettings,
) -> np.ndarray:
    plan = bands.make_plan(noise.shape, spacing, gains, nps, settings)
    carried = bands.carry(noise, plan)[0]
    parts = (bands.filtered(carried, replace(plan, signal=band.window)) for band in plan.bands)
    return np.array([float(np.mean(part**2)) for part in parts])
