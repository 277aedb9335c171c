"""Slice thickness: the one blur that lies across the slices."""

import numpy as np

# variance of a uniform profile of width T is T^2 / 12
UNIFORM_VARIANCE = 1.0 / 12.0
LARGEST_SHARE = 0.25  # of each neighbour: three equal-ish taps, the kernel stays positive
LARGEST_SHARPENING = 0.1


def neighbour_share(source_mm: float, target_mm: float, slice_spacing_mm: float) -> float:
    """Weight of each neighbouring slice that turns thickness `source_mm` into `target_mm`.

    The three taps (a, 1 - 2a, a) add the variance 2 a d^2; matching the second moments of two
    uniform slice profiles gives a = (target^2 - source^2) / (24 d^2). Negative = sharpening.

    Args:
        source_mm, target_mm: slice thickness; NaN gives 0.
        slice_spacing_mm: distance d between slice centres.
    """
    if not (np.isfinite(source_mm) and np.isfinite(target_mm)):
        return 0.0
    share = UNIFORM_VARIANCE * (target_mm**2 - source_mm**2) / (2 * slice_spacing_mm**2)
    return float(np.clip(share, -LARGEST_SHARPENING, LARGEST_SHARE))


def noise_factor(share: float, slice_correlation: float = 0.0) -> float:
    """SD of noise after `blend_slices` over that before, for noise of that lag-1 correlation."""
    centre = 1 - 2 * share
    variance = centre**2 + 2 * share**2 + 4 * share * centre * slice_correlation
    return float(np.sqrt(max(variance, 0.0)))


def blend_slices(hu: np.ndarray, share: float) -> np.ndarray:
    """Apply the taps (share, 1 - 2 share, share) along the first axis; end slices repeat.

    Args:
        hu: (slices, rows, columns) float32.
        share: of `neighbour_share`.
    """
    if share == 0.0 or len(hu) < 2:
        return hu
    blended = np.empty_like(hu)
    last = len(hu) - 1
    for index in range(len(hu)):
        around = hu[max(index - 1, 0)] + hu[min(index + 1, last)]
        blended[index] = (1 - 2 * share) * hu[index] + share * around
    return blended
