"""Every place of a slice as the patch around it, so that a probe can be asked place by place."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, map_coordinates

from ctharmony.evaluation.descriptors import DescriptorSettings, described, tissue_of
from ctharmony.evaluation.patches import MARGIN, SPLINE, PatchSettings
from ctharmony.quality.shown import chosen_slices


@dataclass(frozen=True)
class WindowSettings:
    """How places are looked at.

    Attributes:
        patches: pixel, smoothing and size of a patch, as for the training patches.
        descriptors: what is counted in one.
        step_mm: distance of neighbouring places, mm.
    """

    patches: PatchSettings
    descriptors: DescriptorSettings
    step_mm: float


@dataclass(frozen=True)
class Windows:
    """The places of one slice whose patch lies wholly inside the body.

    Attributes:
        position: number of the slice, from 0.
        centres: (n, 2) row and column of each, native pixels.
        descriptors: (n, numbers) of `described`; tissue: (n,) of `tissue_of`.
    """

    position: int
    centres: np.ndarray
    descriptors: np.ndarray
    tissue: np.ndarray


def slice_windows(
    hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float], how: WindowSettings
) -> Windows:
    """The windows of the slice that the report shows.

    Args:
        hu: (slices, rows, columns) HU; labels: 0 outside the body, 2 lung.
        spacing: (dz, dy, dx) mm.
    """
    position = chosen_slices(labels, 1)[0]
    pixel, body = np.array(spacing[1:]), labels[position] > 0
    rows, columns = _axes(body, pixel, how.patches.pixel_mm)
    inside = body[np.ix_(np.rint(rows).astype(int), np.rint(columns).astype(int))]
    corners = _corners(inside, how)
    centres = np.column_stack(
        [axis[corners[:, i]] + _half(how) / pixel[i] for i, axis in enumerate((rows, columns))]
    )
    plane = _common(hu[position], rows, columns, how.patches.smoothing_mm / pixel)
    side = how.patches.pixels
    found = np.zeros((0, side, side), dtype=np.float32)
    if len(corners):
        found = sliding_window_view(plane, (side, side))[corners[:, 0], corners[:, 1]]
    kinds = tissue_of(found, how.descriptors)
    return Windows(position, centres, described(found, how.descriptors), kinds)


def _half(how: WindowSettings) -> float:
    """From the first pixel's centre to the patch's, mm."""
    return (how.patches.pixels - 1) / 2 * how.patches.pixel_mm


def _axes(body: np.ndarray, pixel: np.ndarray, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, in native pixels, of the common grid over the body's box."""
    axes = []
    for axis in (0, 1):
        held = np.flatnonzero(body.any(axis=1 - axis))
        ends = (held[0], held[-1]) if len(held) else (0, 0)
        axes.append(np.arange(ends[0], ends[1] + 1e-6, common / pixel[axis]))
    return axes[0], axes[1]


def _corners(inside: np.ndarray, how: WindowSettings) -> np.ndarray:
    """First row and column (n, 2) of the windows wholly inside the body."""
    side, step = how.patches.pixels, max(1, round(how.step_mm / how.patches.pixel_mm))
    if min(inside.shape) < side:
        return np.zeros((0, 2), dtype=int)
    windows = sliding_window_view(inside, (side, side))[::step, ::step]
    return np.argwhere(windows.all(axis=(2, 3))) * step


def _common(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """A slice smoothed and on the common grid, as a training patch is."""
    calm = gaussian_filter(plane.astype(np.float32), sd, mode="nearest", truncate=MARGIN)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return map_coordinates(calm, grid, order=SPLINE, mode="nearest")
