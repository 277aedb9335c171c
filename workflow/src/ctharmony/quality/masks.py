"""Body and lungs of a CT scan by thresholds and components, on a coarse grid, refined at full."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import ndimage

OUTSIDE, BODY, LUNG = 0, 1, 2
IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class MaskSettings:
    """What counts as body and as lung.

    Attributes:
        coarse_mm: pixel of the grid on which components are found, mm.
        body_above_hu: body is denser than this, HU.
        lung_below_hu: lung is lighter than this, HU.
        outside_below_hu: a light region of which most is below is free air, not lung, HU.
        border_air_share: a light region at the image border is lung if less of it is free air.
        table_thickness_mm: dense plates thinner than this are taken off the body, mm.
        airway_below_hu: a small region with a mean below this is airway, not lung, HU.
        airway_area_mm2: what small means, mm^2 in one slice.
        gas_below_hu: a component with a mean below this is gas (bowel), not lung, HU.
        min_lung_ml: smaller components are not lung, ml.
    """

    coarse_mm: float
    body_above_hu: float
    lung_below_hu: float
    outside_below_hu: float
    border_air_share: float
    table_thickness_mm: float
    airway_below_hu: float
    airway_area_mm2: float
    gas_below_hu: float
    min_lung_ml: float


def segment(hu: np.ndarray, spacing: tuple[float, float, float], how: MaskSettings) -> np.ndarray:
    """Label a scan.

    Args:
        hu: (slices, rows, columns) HU, any number type.
        spacing: (dz, dy, dx) mm.
        how: thresholds.

    Returns:
        (slices, rows, columns) uint8: 0 outside, 1 body, 2 lung.
    """
    factor = block_factor(spacing, how.coarse_mm)
    small = block_mean(hu, factor)
    coarse = (spacing[0], spacing[1] * factor[0], spacing[2] * factor[1])
    body = body_mask(small, coarse, how)
    lung = lung_mask(small, body, coarse, how)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    # slice by slice: a thick stack of full-size masks would not fit beside the scan
    edges = (*_core_and_reach(body), *_core_and_reach(lung))
    for label, picture, (core, reach, lung_core, lung_reach) in zip(
        labels, hu, zip(*edges, strict=True), strict=True
    ):
        label[_refined(core, reach, picture > how.body_above_hu, factor)] = BODY
        label[_refined(lung_core, lung_reach, picture < how.lung_below_hu, factor)] = LUNG
    return labels


def block_factor(spacing: tuple[float, float, float], target_mm: float) -> tuple[int, int]:
    """(rows, columns) to average so that a block measures about `target_mm`."""
    return max(1, round(target_mm / spacing[1])), max(1, round(target_mm / spacing[2]))


def block_mean(hu: np.ndarray, factor: tuple[int, int]) -> np.ndarray:
    """In-plane means of blocks, (slices, ceil(rows/f0), ceil(columns/f1)) float32, HU."""
    exact = np.float32 if np.issubdtype(hu.dtype, np.floating) else np.int32
    sums = np.stack([_per_block(part.astype(exact), factor, np.add) for part in hu])
    return sums.astype(np.float32) / np.float32(factor[0] * factor[1])


def uniform_blocks(labels: np.ndarray, factor: tuple[int, int], mixed: int) -> np.ndarray:
    """The label of each in-plane block, or `mixed` where it holds several; uint8."""
    blocks = []
    for part in labels:
        lowest = _per_block(part, factor, np.minimum)
        highest = _per_block(part, factor, np.maximum)
        blocks.append(np.where(lowest == highest, lowest, mixed))
    return np.stack(blocks).astype(np.uint8)


def _per_block(picture: np.ndarray, factor: tuple[int, int], operation: np.ufunc) -> np.ndarray:
    growth = [(0, -length % side) for length, side in zip(picture.shape, factor, strict=True)]
    if np.any(growth):
        picture = np.pad(picture, growth, mode="edge")
    # every n-th row with every n-th: several times faster than ufunc.reduceat
    picture = reduce(operation, [picture[start :: factor[0]] for start in range(factor[0])])
    return reduce(operation, [picture[:, start :: factor[1]] for start in range(factor[1])])


def body_mask(hu: np.ndarray, spacing: tuple[float, float, float], how: MaskSettings) -> np.ndarray:
    """The patient without table and clothes, holes filled; bool, on the grid of `hu`."""
    padding = hu.max(axis=0) == hu.min()
    light = (hu <= how.body_above_hu) & ~padding
    # lungs first, so that a thin chest wall is not opened away like a table
    solid = (hu > how.body_above_hu) | _lung_like(hu, light, padding, how)
    sizes = [max(1, round(how.table_thickness_mm / mm)) for mm in spacing[1:]]
    opened = _square(_square(solid, sizes, ndimage.minimum_filter1d), sizes, _maximum_mirrored)
    body = _largest(opened)
    around, count = ndimage.label(~body, structure=IN_PLANE)
    outside = np.zeros(count + 1, dtype=bool)
    outside[_labels_at_border(around, padding)] = True
    outside[0] = False
    return ~outside[around] if body.any() else body


def _lung_like(
    hu: np.ndarray, light: np.ndarray, padding: np.ndarray, how: MaskSettings
) -> np.ndarray:
    """Regions of a slice that are light but mostly not free air; bool like `light`."""
    regions, count = ndimage.label(light, structure=IN_PLANE)
    free = np.bincount(regions[light & (hu < how.outside_below_hu)], minlength=count + 1)
    share = free / np.maximum(np.bincount(regions.ravel(), minlength=count + 1), 1)
    lung = share < 0.5
    # what reaches the border is air around a table, unless a crop runs through the lung
    border = _labels_at_border(regions, padding)
    lung[border] = share[border] < how.border_air_share
    lung[0] = False
    return lung[regions]


def lung_mask(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: MaskSettings
) -> np.ndarray:
    """Lungs inside the body without the free trachea and bowel gas; bool, on the grid of `hu`."""
    air = body & (hu < how.lung_below_hu)
    air &= ~_small_and_light(air, hu, spacing, how)
    labels, count = ndimage.label(air)
    index = np.arange(count + 1)
    volumes = np.bincount(labels.ravel(), minlength=count + 1) * np.prod(spacing) / 1000.0
    means = ndimage.mean(hu, labels=labels, index=index) if count else np.zeros(1)
    keep = (volumes >= how.min_lung_ml) & (means > how.gas_below_hu) & (index > 0)
    lung = keep[labels]
    closed = _square(_square(lung, [3, 3], _maximum_mirrored), [3, 3], ndimage.minimum_filter1d)
    return (closed | lung) & body


def _small_and_light(
    air: np.ndarray, hu: np.ndarray, spacing: tuple[float, float, float], how: MaskSettings
) -> np.ndarray:
    labels, count = ndimage.label(air, structure=IN_PLANE)
    if count == 0:
        return np.zeros_like(air)
    areas = np.bincount(labels.ravel(), minlength=count + 1) * spacing[1] * spacing[2]
    means = ndimage.mean(hu, labels=labels, index=np.arange(count + 1))
    drop = (areas < how.airway_area_mm2) & (means < how.airway_below_hu)
    drop[0] = False
    return drop[labels]


def _square(mask: np.ndarray, sizes: list[int], operation: Callable) -> np.ndarray:
    result = mask.view(np.uint8)
    for axis, size in zip((1, 2), sizes, strict=True):
        result = operation(result, size, axis=axis, mode="nearest")
    return result.view(bool)


def _maximum_mirrored(array: np.ndarray, size: int, axis: int, mode: str) -> np.ndarray:
    # an even window leans to one side: lean the other way, so that an opening moves nothing
    origin = -1 if size % 2 == 0 else 0
    return ndimage.maximum_filter1d(array, size, axis=axis, mode=mode, origin=origin)


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def _labels_at_border(labels: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Labels that touch a side of the image or the padding around a round field of view."""
    edge = np.zeros(labels.shape[1:], dtype=bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    edge |= ndimage.binary_dilation(padding)
    return np.unique(labels[:, edge])


def _core_and_reach(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What surely belongs to a coarse mask, and how far it may extend at full resolution."""
    return (
        _square(mask, [3, 3], ndimage.minimum_filter1d),
        _square(mask, [3, 3], ndimage.maximum_filter1d),
    )


def _refined(
    core: np.ndarray, reach: np.ndarray, candidate: np.ndarray, factor: tuple[int, int]
) -> np.ndarray:
    enlarged = [
        np.repeat(np.repeat(mask, factor[0], axis=0), factor[1], axis=1)[
            : candidate.shape[0], : candidate.shape[1]
        ]
        for mask in (core, reach)
    ]
    return enlarged[0] | (enlarged[1] & candidate)
