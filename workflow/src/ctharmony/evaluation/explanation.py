"""Where does a probe see its evidence? How much its answer moves when the evidence is taken away.

The measure is D( p(class | x) || p(class | x without the evidence) ) in nats: 0 where the evidence
told the probe nothing. Evidence is a frequency band, a place of the image or a group of features.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import fft

from ctharmony.information.discrete import kl
from ctharmony.quality import half_plane

FLOOR = 1e-6  # keeps the divergence finite where a forest answers with 0


class Evidence(NamedTuple):
    """What taking evidence away did to the answers about n inputs.

    Attributes:
        kl: (n,) nats by which the answer moved.
        gain: (n,) nats by which the evidence raises the log probability of the true class: above 0
            where it gives the class away, below where it misleads. With a probe that never saw
            the scan, a signature that is gone has a mean gain of 0 or less.
    """

    kl: np.ndarray
    gain: np.ndarray


def evidence(whole: np.ndarray, without: np.ndarray, truth: np.ndarray) -> Evidence:
    """Evidence from the probabilities (n, classes) given with and without it.

    Args:
        truth: (n,) column of the true class.
    """
    p, q = (np.maximum(part, FLOOR) for part in (whole, without))
    moved = np.array([kl(first, second) for first, second in zip(p, q, strict=True)])
    return Evidence(moved, gain(whole, without, truth))


def gain(whole: np.ndarray, without: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The gain of `Evidence` alone; arguments as for `evidence`."""
    rows = np.arange(len(truth))
    p, q = (np.maximum(part, FLOOR)[rows, truth] for part in (whole, without))
    return np.log(p) - np.log(q)


def without_features(features: np.ndarray, columns: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Features (scans, features) with `usual` values, (features,) or one row each, in some columns.

    Usual is what a scan of no particular site shows, for instance the training median.
    """
    without = features.copy()
    without[:, columns] = usual[..., columns]
    return without


def removed_bands(
    images: np.ndarray, spacing: tuple[float, float], edges: tuple[float, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """Images (n, rows, columns) without one frequency band after the other, each with its name.

    Args:
        spacing: (dy, dx) mm.
        edges: increasing band edges, cycles/mm.
    """
    for low, high in pairwise(edges):
        yield band_name(low, high), without_band(images, spacing, low, high)


def band_name(low: float, high: float) -> str:
    """The name of a band in tables, its edges in cycles/mm."""
    return f"patch_{low:g}_to_{high:g}_per_mm"


def without_band(
    images: np.ndarray, spacing: tuple[float, float], low: float, high: float
) -> np.ndarray:
    """Images (n, rows, columns) without their content in [low, high) cycles/mm; the mean stays."""
    rows, columns = images.shape[-2:]
    radius = half_plane.frequencies((rows, columns), spacing)
    kept = ((radius < low) | (radius >= high)) | (radius == 0)
    return fft.irfft2(fft.rfft2(images) * kept, s=(rows, columns)).astype(images.dtype)
