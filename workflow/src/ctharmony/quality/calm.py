"""The power spectrum of calm tissue: of the lung, where no patch is flat."""

import numpy as np

from ctharmony.quality.noise import NoiseSettings, power_spectrum
from ctharmony.quality.patches import corners_inside, cut, detrended, sides_px, thinned


def calm_power(
    hu: np.ndarray, inside: np.ndarray, spacing: tuple[float, float, float], how: NoiseSettings
) -> np.ndarray:
    """Radial power spectrum of the calmer half of the patches in a mask, HU^2 mm^2, on FREQUENCIES.

    In the lung the calm patches are parenchyma without larger vessels: at high frequency their
    power is noise. NaN everywhere with fewer than `min_patches` of them.

    Args:
        hu: (slices, rows, columns) HU.
        inside: bool, same shape; patches lie in it entirely.
        spacing: (dz, dy, dx) mm.
        how: sizes and numbers of patches.
    """
    sides = sides_px(how.patch_mm, spacing)
    corners = corners_inside(inside, sides, 1.0)
    corners = corners[thinned(np.arange(len(corners)), 2 * how.max_patches)]
    patches = detrended(cut(hu, corners, sides))
    spread = patches.std(axis=(1, 2))
    calm = patches[spread <= np.median(spread)] if len(spread) else patches
    return power_spectrum(calm, spacing, how.min_patches)
