"""Where does a probe see its evidence? How much its answer moves when the evidence is taken away.

The measure is D( p(class | x) || p(class | x without the evidence) ) in nats: 0 where the evidence
told the probe nothing. Evidence is a frequency band, a block of the image or a group of features.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy import fft

from ctharmony.information.discrete import kl
from ctharmony.quality import half_plane

Predict = Callable[[np.ndarray], np.ndarray]
FLOOR = 1e-6  # keeps the divergence finite where a forest answers with 0


def evidence(predict: Predict, whole: np.ndarray, without: np.ndarray) -> np.ndarray:
    """KL in nats (n,) between the predictions for inputs (n, ...) with and without evidence.

    Args:
        predict: inputs (n, ...) -> probabilities (n, classes).
    """
    first, second = (np.maximum(predict(part), FLOOR) for part in (whole, without))
    return np.array([kl(p, q) for p, q in zip(first, second, strict=True)])


def gain(predict: Predict, whole: np.ndarray, without: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Nats (n,) by which evidence raises the log probability of the true class.

    Above 0 where the evidence gives the class away, below where it misleads; `evidence` counts
    both. With a probe that never saw the scan, a signature that is gone has a mean gain of 0 or
    less.

    Args:
        truth: (n,) column of the true class.
    """
    rows = np.arange(len(truth))
    first, second = (np.maximum(predict(part), FLOOR)[rows, truth] for part in (whole, without))
    return np.log(first) - np.log(second)


def without_features(features: np.ndarray, columns: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Features (scans, features) with `usual` (features,) values in some columns.

    Usual is what a scan of no particular site shows, for instance the training median.
    """
    without = features.copy()
    without[:, columns] = usual[columns]
    return without


def band_evidence(
    predict: Predict,
    images: np.ndarray,
    spacing: tuple[float, float],
    edges: tuple[float, ...],
) -> np.ndarray:
    """Evidence (bands, n) in frequency bands of images (n, rows, columns).

    Args:
        spacing: (dy, dx) mm.
        edges: increasing band edges, cycles/mm.
    """
    parts = [without_band(images, spacing, low, high) for low, high in pairwise(edges)]
    return np.array([evidence(predict, images, part) for part in parts])


def without_band(
    images: np.ndarray, spacing: tuple[float, float], low: float, high: float
) -> np.ndarray:
    """Images (n, rows, columns) without their content in [low, high) cycles/mm; the mean stays."""
    rows, columns = images.shape[-2:]
    radius = half_plane.frequencies((rows, columns), spacing)
    kept = ((radius < low) | (radius >= high)) | (radius == 0)
    return fft.irfft2(fft.rfft2(images) * kept, s=(rows, columns)).astype(images.dtype)


def occlusion_map(predict: Predict, image: np.ndarray, block: int, fill: float) -> np.ndarray:
    """Evidence of every block of an image (rows, columns), nats, (row blocks, column blocks).

    Args:
        block: side of a block in pixels; blocks at the border may be smaller.
        fill: value that stands for nothing to see, in the image's unit.
    """
    rows, columns = (-(-length // block) for length in image.shape)
    hidden = np.repeat(image[None], rows * columns, axis=0)
    for index in range(rows * columns):
        y, x = divmod(index, columns)
        hidden[index, y * block : (y + 1) * block, x * block : (x + 1) * block] = fill
    whole = np.broadcast_to(image, hidden.shape)
    return evidence(predict, whole, hidden).reshape(rows, columns)
