"""How well two measurements of one thing agree: images voxel by voxel, numbers subject by subject.

Every image function takes HU arrays of one shape and a bool mask of the voxels that count.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

SLICES_AT_ONCE = 16  # bounds the memory of SSIM


def mean_absolute_error(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference inside the mask, HU."""
    return float(np.abs(image[mask] - reference[mask]).mean(dtype=np.float64))


def root_mean_square_error(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    """Root of the mean squared difference inside the mask, HU."""
    return float(np.sqrt(np.square(image[mask] - reference[mask]).mean(dtype=np.float64)))


def peak_signal_to_noise(rmse: float, data_range: float) -> float:
    """20 log10(range / RMSE) in dB; infinite for equal images."""
    return float("inf") if rmse == 0 else float(20 * np.log10(data_range / rmse))


def structural_similarity(
    image: np.ndarray, reference: np.ndarray, mask: np.ndarray, data_range: float, window: int
) -> float:
    """Mean SSIM inside the mask, slice by slice with a square uniform window (Wang et al. 2004).

    Args:
        image, reference: (slices, rows, columns) HU.
        data_range: HU between the darkest and brightest value that matters.
        window: odd width of the window in pixels.

    Returns:
        Mean of the local index over the mask, 1 for equal images.
    """
    total = 0.0
    for start in range(0, len(image), SLICES_AT_ONCE):
        part = slice(start, start + SLICES_AT_ONCE)
        index = _similarity_map(image[part], reference[part], data_range, window)
        total += float(index[mask[part]].sum(dtype=np.float64))
    return total / int(mask.sum())


def _similarity_map(
    image: np.ndarray, reference: np.ndarray, data_range: float, window: int
) -> np.ndarray:
    x, y = image.astype(np.float32), reference.astype(np.float32)
    mean_x, mean_y = _local_mean(x, window), _local_mean(y, window)
    unbiased = window * window / (window * window - 1)
    variance_x = unbiased * (_local_mean(x * x, window) - mean_x * mean_x)
    variance_y = unbiased * (_local_mean(y * y, window) - mean_y * mean_y)
    covariance = unbiased * (_local_mean(x * y, window) - mean_x * mean_y)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2)
    return top / bottom


def concordance(first: np.ndarray, second: np.ndarray) -> float:
    """Concordance correlation coefficient (Lin, Biometrics 1989), from -1 to 1.

    Not-a-number with fewer than two pairs or where neither measurement varies.
    """
    first, second = _complete_pairs(first, second)
    if len(first) < 2:
        return float("nan")
    spread = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    covariance = ((first - first.mean()) * (second - second.mean())).mean()
    return float(2 * covariance / spread) if spread > 0 else float("nan")


def intraclass_correlation(ratings: np.ndarray) -> float:
    """ICC(2,1): two-way random effects, absolute agreement, single rating (Shrout, Fleiss 1979).

    Args:
        ratings: (subjects, raters); subjects with a missing rating are left out.

    Returns:
        The coefficient, or not-a-number with fewer than two subjects or raters.
    """
    ratings = np.asarray(ratings, dtype=np.float64)
    ratings = ratings[np.isfinite(ratings).all(axis=1)]
    n, k = ratings.shape
    if n < 2 or k < 2:
        return float("nan")
    grand = ratings.mean()
    rows = k * np.square(ratings.mean(1) - grand).sum() / (n - 1)
    columns = n * np.square(ratings.mean(0) - grand).sum() / (k - 1)
    residual = ratings - ratings.mean(1, keepdims=True) - ratings.mean(0) + grand
    error = np.square(residual).sum() / ((n - 1) * (k - 1))
    bottom = rows + (k - 1) * error + k * (columns - error) / n
    return float((rows - error) / bottom) if bottom > 0 else float("nan")


@dataclass(frozen=True)
class BlandAltman:
    """Mean difference (first minus second) and the limits that hold 95% of differences."""

    bias: float
    lower: float
    upper: float
    n: int


def bland_altman(first: np.ndarray, second: np.ndarray) -> BlandAltman:
    """Limits of agreement, bias +- 1.96 SD of the differences (Bland and Altman, Lancet 1986)."""
    first, second = _complete_pairs(first, second)
    difference = first - second
    if len(difference) < 2:
        bias = float(difference.mean()) if len(difference) else float("nan")
        return BlandAltman(bias, float("nan"), float("nan"), len(difference))
    bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    return BlandAltman(bias, bias - spread, bias + spread, len(difference))


def _local_mean(image: np.ndarray, window: int) -> np.ndarray:
    return uniform_filter(image, size=(1, window, window), mode="reflect")


def _complete_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    kept = np.isfinite(first) & np.isfinite(second)
    return first[kept], second[kept]
