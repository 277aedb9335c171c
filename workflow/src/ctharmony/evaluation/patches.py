"""Patches of the body on a common pixel, so that a network sees tissue and nothing else.

Pixel size, matrix, field of view, corners and the table name a scanner before any tissue does.
Every patch therefore lies wholly inside the body, is smoothed by a Gaussian of a fixed width in
mm and sampled on a grid in mm that begins anywhere between its pixels.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

TRIES = 20  # draws per patch wanted, before a body counts as too small
MARGIN = 4.0  # of a crop around a patch, in SDs of the smoothing
SPLINE = 3  # order of the interpolation


@dataclass(frozen=True)
class PatchSettings:
    """Size and number of patches.

    Attributes:
        pixel_mm: side of a common pixel, mm; pixels: pixels on a side.
        smoothing_mm: SD of the Gaussian before sampling, mm.
        per_scan: patches of a scan.
    """

    pixel_mm: float
    pixels: int
    smoothing_mm: float
    per_scan: int


def body_patches(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: PatchSettings,
    name: str,
) -> np.ndarray:
    """Patches (n, pixels, pixels) in HU as float16; fewer than asked for in a small body.

    Args:
        hu: (slices, rows, columns) HU.
        labels: same shape: 0 outside the body.
        spacing: (dz, dy, dx) mm.
        how: size and number.
        name: of the scan; the same name gives the same places in every version of it.
    """
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    places = _places(labels > 0, spacing, how, generator)
    found = [_sampled(hu[z], centre, spacing[1:], how) for z, centre in places]
    shape = (len(found), how.pixels, how.pixels)
    return np.array(found, dtype=np.float16).reshape(shape)


def _places(
    body: np.ndarray,
    spacing: tuple[float, float, float],
    how: PatchSettings,
    generator: np.random.Generator,
) -> list[tuple[int, np.ndarray]]:
    """Slices and centres (row, column, between pixels) of patches that lie inside the body."""
    half = how.pixels * how.pixel_mm / 2 / np.array(spacing[1:]) + 1
    slices = np.flatnonzero(body.any(axis=(1, 2)))
    inside = {}
    found: list[tuple[int, np.ndarray]] = []
    for _ in range(TRIES * how.per_scan if len(slices) else 0):
        z = int(generator.choice(slices))
        if z not in inside:
            inside[z] = np.argwhere(body[z])
        centre = generator.choice(inside[z]) + generator.uniform(-0.5, 0.5, 2)
        low, high = np.floor(centre - half).astype(int), np.ceil(centre + half).astype(int) + 1
        fits = (low >= 0).all() and (high <= body.shape[1:]).all()
        if fits and body[z, low[0] : high[0], low[1] : high[1]].all():
            found.append((z, centre))
        if len(found) == how.per_scan:
            break
    return found


def _sampled(
    plane: np.ndarray, centre: np.ndarray, pixel: tuple[float, float], how: PatchSettings
) -> np.ndarray:
    """One patch (pixels, pixels) of a slice around `centre`, smoothed and on the common pixel."""
    size = np.array(pixel)
    reach = (how.pixels * how.pixel_mm / 2 + MARGIN * how.smoothing_mm) / size + SPLINE
    low = np.maximum(np.floor(centre - reach).astype(int), 0)
    high = np.ceil(centre + reach).astype(int) + 1
    crop = plane[low[0] : high[0], low[1] : high[1]].astype(np.float32)
    calm = gaussian_filter(crop, how.smoothing_mm / size, mode="nearest", truncate=MARGIN)
    steps = (np.arange(how.pixels) - (how.pixels - 1) / 2) * how.pixel_mm
    rows, columns = (centre[i] - low[i] + steps / size[i] for i in (0, 1))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    return map_coordinates(calm, grid, order=SPLINE, mode="nearest")
