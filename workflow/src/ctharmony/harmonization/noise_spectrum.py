"""The noise power spectrum of the result, measured and brought to the target scanner's."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from ctharmony.harmonization import bands
from ctharmony.harmonization.noise_level import Carried
from ctharmony.quality import half_plane
from ctharmony.quality.noise import (
    FREQUENCIES,
    NoiseSettings,
    homogeneous_patches,
    power_spectrum,
)

ROUNDS = 2
LEAST, MOST = 0.5, 1.8  # of the factor on the noise gain in a round
SMOOTHING_BINS = 1.0
BODY_HU, BODY_SMOOTHING = -200.0, 2.0  # smoothed (SD in pixels) HU above which a voxel is body


def level_spectrum(
    plan: bands.Plan,
    before: np.ndarray,
    carried: Carried,
    ratio: np.ndarray,
    spacing: tuple[float, float, float],
    how: NoiseSettings,
) -> bands.Plan:
    """The plan with its noise gain scaled until flat tissue's power changes by `ratio`.

    The measured spectra of two scanners hold faint anatomy below some 0.15 per mm; what of it
    cannot be told from noise takes the noise's gain. Source, target and result are measured alike,
    each in the patches that are flat in itself: strong noise hides anatomy that shows once it is
    weaker, and what is left of it there must not count as noise.

    Args:
        plan: of the scan.
        before: (slices, rows, columns) HU, a few slices of the scan.
        carried: function of a plan that gives these slices carried.
        ratio: (bins,) wanted power on FREQUENCIES over the scan's, NaN where unknown.
        spacing: (dz, dy, dx) mm.
        how: patches; with fewer than `min_patches` the plan stays as it is.
    """
    smooth = gaussian_filter(before, (0.0, BODY_SMOOTHING, BODY_SMOOTHING))
    flat = partial(_power_of_flat, body=smooth > BODY_HU, spacing=spacing, how=how)
    wanted = ratio * flat(before)
    if not np.isfinite(wanted).any():
        return plan
    radius = half_plane.frequencies(plan.padded, spacing[1:])
    for _ in range(ROUNDS):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.sqrt(wanted / flat(carried(plan)))
        step = gaussian_filter1d(np.where(np.isfinite(step), step, 1.0), SMOOTHING_BINS)
        factor = np.interp(radius, FREQUENCIES, np.clip(step, LEAST, MOST))
        plan = replace(plan, noise=(plan.noise * factor).astype(np.float32))
    return plan


def _power_of_flat(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: NoiseSettings
) -> np.ndarray:
    """(bins,) noise power of flat soft tissue, HU^2 mm^2; NaN with too few patches of it."""
    _, patches = homogeneous_patches(hu, body, spacing, how)
    return power_spectrum(patches, spacing, how.min_patches)
