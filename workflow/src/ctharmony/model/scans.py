"""A scan as the model sees it: HU, mask, spacing; its patches and its tissue anchors (numpy)."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter

AIR_HU = -1000.0
OUTSIDE, BODY, LUNG = 0, 1, 2
# where to look for a tissue's mode: (HU from, HU to, mask labels)
ANCHOR_WINDOWS = {
    "air": (-1050.0, -900.0, (OUTSIDE,)),
    "lung": (-980.0, -650.0, (LUNG,)),
    "fat": (-160.0, -50.0, (BODY,)),
    "soft_tissue": (0.0, 110.0, (BODY,)),
    "bone": (200.0, 1500.0, (BODY,)),
}
MODE_SMOOTHING_HU = 6.0
ANCHOR_MIN_VOXELS = 200
CANDIDATES = 20000


@dataclass(frozen=True)
class ScanData:
    """One scan for training.

    Attributes:
        hu: (slices, rows, columns) float32 or int16, HU.
        mask: same shape, uint8: 0 outside, 1 body, 2 lung.
        spacing: (dz, dy, dx) in mm.
        site, scan, subject: identifiers.
        split: train, validation or test.
        covariates: numbers of the patient, NaN where missing, as many for every scan; empty where
            nothing is known. Only critics see them.
    """

    hu: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float, float]
    site: str
    scan: str
    subject: str
    split: str
    covariates: tuple[float, ...] = ()


def patch_shape(spacing: tuple[float, float, float], patch_mm: float) -> tuple[int, int]:
    """Rows and columns (both even) of a patch of `patch_mm` on the native grid."""
    return tuple(max(8, 2 * round(patch_mm / step / 2)) for step in spacing[1:])


def slab(hu: np.ndarray, index: int) -> np.ndarray:
    """Slice `index` between its neighbours (3, rows, columns) float32; ends repeat."""
    chosen = np.clip([index - 1, index, index + 1], 0, len(hu) - 1)
    return hu[chosen].astype(np.float32)


def cut(hu: np.ndarray, centre: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Three adjacent slices of a patch (3, *shape) around voxel `centre` (z, y, x), HU.

    The patch is pushed inside the image; a smaller image is filled up with air.
    """
    starts = [
        int(np.clip(c - n // 2, 0, max(size - n, 0)))
        for c, n, size in zip(centre[1:], shape, hu.shape[1:], strict=True)
    ]
    chosen = np.clip([centre[0] - 1, centre[0], centre[0] + 1], 0, len(hu) - 1)
    (y, x), (rows, columns) = starts, shape
    part = hu[chosen, y : y + rows, x : x + columns].astype(np.float32)
    lack = [(0, 0)] + [(0, n - have) for n, have in zip(shape, part.shape[1:], strict=True)]
    return np.pad(part, lack, constant_values=AIR_HU) if np.any(lack) else part


def candidate_centres(mask: np.ndarray, seed: int) -> np.ndarray:
    """At most 20,000 voxels (n, 3) inside the body, drawn without order from `seed`.

    Raises:
        ValueError: the mask is empty.
    """
    inside = _inside(mask)
    if len(inside) > CANDIDATES:
        inside = np.random.default_rng(seed).choice(inside, CANDIDATES, replace=False)
    return np.stack(np.unravel_index(np.sort(inside), mask.shape), axis=1)


def spread_centres(mask: np.ndarray, count: int) -> np.ndarray:
    """`count` body voxels (count, 3) spread evenly in scan order: the same for the same scan.

    Raises:
        ValueError: the mask is empty.
    """
    inside = _inside(mask)
    # a golden-ratio walk inside each share, so that patches do not line up in one column
    offsets = (np.arange(count) * 0.618034) % 1.0
    places = ((np.arange(count) + offsets) / count * len(inside)).astype(int)
    return np.stack(np.unravel_index(inside[np.minimum(places, len(inside) - 1)], mask.shape), 1)


def measure_anchors(hu: np.ndarray, mask: np.ndarray, tissues: list[str]) -> np.ndarray:
    """HU of each tissue in a scan (len(tissues),): the mode, for bone the mean; NaN if unseen.

    A 3 x 3 mean in the plane first, so that noise moves the modes less. Voxels equal to all their
    neighbours are padding, not air, and do not count.

    Raises:
        ValueError: a tissue has no window (see ANCHOR_WINDOWS).
    """
    unknown = [name for name in tissues if name not in ANCHOR_WINDOWS]
    if unknown:
        raise ValueError(f"anchors: no HU window for {', '.join(unknown)}")
    smooth = uniform_filter(hu.astype(np.float32), size=(1, 3, 3))
    smooth[_constant(hu)] = np.nan
    values = []
    for name in tissues:
        low, high, labels = ANCHOR_WINDOWS[name]
        chosen = smooth[np.isin(mask, labels) & (smooth > low) & (smooth < high)]
        values.append(_centre(chosen, low, high, name))
    return np.array(values, dtype=np.float32)


def _constant(hu: np.ndarray) -> np.ndarray:
    """Where a voxel equals its four neighbours in the plane."""
    same = np.zeros(hu.shape, bool)
    middle = hu[:, 1:-1, 1:-1]
    equal = (middle == hu[:, :-2, 1:-1]) & (middle == hu[:, 2:, 1:-1])
    same[:, 1:-1, 1:-1] = equal & (middle == hu[:, 1:-1, :-2]) & (middle == hu[:, 1:-1, 2:])
    return same


def _centre(values: np.ndarray, low: float, high: float, tissue: str) -> float:
    if len(values) < ANCHOR_MIN_VOXELS:
        return float("nan")
    if tissue == "bone":
        return float(values.mean())
    counts, edges = np.histogram(values, bins=int(high - low), range=(low, high))
    smooth = gaussian_filter1d(counts.astype(float), MODE_SMOOTHING_HU)
    return float(edges[np.argmax(smooth)] + 0.5)


def _inside(mask: np.ndarray) -> np.ndarray:
    found = np.flatnonzero(mask != OUTSIDE)
    if len(found) == 0:
        raise ValueError("the body mask is empty")
    return found
