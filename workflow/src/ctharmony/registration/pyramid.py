"""From a scan to what registration samples: pooled levels, a monotone intensity scale, a mask."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch

from ctharmony.registration import lines
from ctharmony.registration.settings import RegistrationSettings

AIR_HU = -1024.0  # paddings (-2048, -3024) mean nothing measured: they count as air
MARGIN_MM = 10.0  # ring of air kept around the body: its outline carries information
SCALE_STEPS = 4096
SCALE_SAMPLE = 65536
NEIGHBOUR_SHARE = 0.125
EVEN_SHARE = 0.15  # of the scan's range: a background of edges that differ less is one material


@dataclass(frozen=True)
class Image:
    """A scan to register.

    Attributes:
        hu: (slices, rows, columns) intensities; HU for CT, any unit else.
        affine: (4, 4) voxel (column, row, slice) to world RAS, mm.
        mask: same shape, nonzero inside the body; None: found by a threshold.
    """

    hu: np.ndarray
    affine: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Level:
    """One resolution of a scan.

    Attributes:
        values: (z, y, x) float32 tensor, intensity scale 0 .. 1.
        mask: (z, y, x) bool array, the body with its margin.
        body: (z, y, x) bool array, the body alone.
        affine: (4, 4) voxel (x, y, z) to world, mm.
        field: (3, 2) first and last voxel coordinate (x, y, z) that the scanner saw; it is wider
            than the arrays where air was cut off.
    """

    values: torch.Tensor
    mask: np.ndarray
    body: np.ndarray
    affine: np.ndarray
    field: np.ndarray

    def turned(self, turn: np.ndarray) -> "Level":
        """The level as if its header were turned back by a rotation (3, 3) about the origin."""
        back = np.eye(4)
        back[:3, :3] = turn.T
        return replace(self, affine=back @ self.affine)


def build_levels(image: Image, settings: RegistrationSettings) -> list[Level]:
    """Pool a scan to each of the settings' levels (coarse to fine).

    Raises:
        ValueError: no voxel of the scan lies in its body mask, or the scan is flat.
    """
    cut, seen = _cut_air(image)
    grids = _pool_all(cut, settings.levels_mm)
    masks = [_dilate(body, affine) for _, body, affine in grids]
    middle, known = len(grids) // 2, image.mask is not None
    # a threshold may take the wrong part for the body: without a mask every voxel sets the range
    volume = grids[middle][0]
    inside = volume[grids[middle][1] if known else masks[middle]]
    scale = _intensity_scale(inside, inside if known else volume, settings.linear_share)
    levels = []
    for (volume, body, affine), mask in zip(grids, masks, strict=True):
        if levels and grids[len(levels) - 1][0] is volume:
            levels.append(levels[-1])  # too coarse to be pooled less
            continue
        values = smooth(_apply_scale(volume, scale))
        if known:
            values[~torch.from_numpy(mask)] = 0.0  # tables outside the body say nothing
        to_voxel = np.linalg.inv(affine) @ cut.affine
        field = seen * np.diag(to_voxel)[:3, None] + to_voxel[:3, 3:]
        levels.append(Level(values, mask, body, affine, field))
    return levels


def _cut_air(image: Image) -> tuple[Image, np.ndarray]:
    """The box around the body with twice its margin, and the field seen, (3, 2) of its voxels."""
    last = np.array(image.hu.shape[::-1], dtype=np.float64) - 0.5
    seen = np.stack([np.full(3, -0.5), last], axis=1)
    if image.mask is None or not image.mask.any():
        return image, seen
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    planes = image.mask.any(axis=0)
    flags = planes.any(axis=0), planes.any(axis=1), image.mask.any(axis=(1, 2))
    first, box = np.zeros(3), []
    for axis, flag in enumerate(flags):
        held, margin = np.flatnonzero(flag), int(np.ceil(2 * MARGIN_MM / spacing[axis]))
        first[axis] = max(0, held[0] - margin)
        box.append(slice(int(first[axis]), int(held[-1]) + margin + 1))
    shift = np.eye(4)
    shift[:3, 3] = first
    cut = Image(image.hu[tuple(box[::-1])], image.affine @ shift, image.mask[tuple(box[::-1])])
    return cut, seen - first[:, None]


def _pool_all(image: Image, levels_mm: tuple[float, ...]) -> list[tuple]:
    """(volume, body, affine) per level, made from fine to coarse, returned coarse to fine."""
    volume, affine, mask = image.hu, image.affine, image.mask
    grids = []
    for level in sorted(levels_mm):
        spacing = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
        factors = [
            min(size, max(1, round(level / step)))
            for size, step in zip(volume.shape, spacing, strict=True)
        ]
        if grids and prod(factors) == 1:
            grids.append(grids[-1])
            continue
        volume, affine = pool(volume, factors), pooled_affine(affine, factors)
        mask = foreground(volume) if mask is None else _thin(mask, factors)
        grids.append((volume, mask != 0, affine))
    return grids[::-1]


def pool(volume: np.ndarray, factors: list[int]) -> np.ndarray:
    """Mean over boxes of `factors` (z, y, x) voxels, paddings as air; a remainder is dropped."""
    fz, fy, fx = factors
    nz, ny, nx = (size // factor for size, factor in zip(volume.shape, factors, strict=True))
    if prod(factors) == 1:
        return np.maximum(volume, AIR_HU, dtype=np.float32)
    pooled = np.empty((nz, ny, nx), dtype=np.float32)
    for z in range(nz):  # slab by slab: each stays in the processor's cache
        slab = np.maximum(volume[z * fz : (z + 1) * fz, : ny * fy, : nx * fx], AIR_HU)
        plane = slab.sum(axis=0, dtype=np.float32) if fz > 1 else slab[0]
        rows = sum(plane[k::fy] for k in range(fy))
        pooled[z] = sum(rows[:, k::fx] for k in range(fx))
    pooled *= np.float32(1.0 / (fz * fy * fx))
    return pooled


def pooled_affine(affine: np.ndarray, factors: list[int]) -> np.ndarray:
    """Affine of the pooled grid: boxes are centred where their voxels' mean lies."""
    fz, fy, fx = factors
    step = np.diag([fx, fy, fz, 1.0])
    step[:3, 3] = [(fx - 1) / 2, (fy - 1) / 2, (fz - 1) / 2]
    return affine @ step


def _thin(mask: np.ndarray, factors: list[int]) -> np.ndarray:
    """Every box's middle voxel: as good as a vote for a body, and free."""
    taken = tuple(
        slice(factor // 2, (size // factor) * factor, factor)
        for size, factor in zip(mask.shape, factors, strict=True)
    )
    return mask[taken]


def _dilate(body: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The body grown by the margin along each axis in turn."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    grown = np.array(body, dtype=bool, order="C")
    for axis, step in enumerate(spacing):
        lines.dilate(lines.along(grown, axis), round(MARGIN_MM / step))
    return grown


def foreground(volume: np.ndarray) -> np.ndarray:
    """Voxels that differ from the background, (z, y, x) bool, whatever the contrast's sign.

    The background is what the box's twelve edges show if they are all alike; else (a scan cropped
    within the body) the bright part is the foreground, as in CT.
    """
    ends = np.maximum(volume[:: max(1, volume.shape[0] - 1)], AIR_HU)
    sides = np.maximum(volume[:, :: max(1, volume.shape[1] - 1)], AIR_HU)
    edges = (ends[:, [0, -1]], ends[:, :, [0, -1]], sides[:, :, [0, -1]])
    low, middle, high = np.percentile(np.concatenate([e.ravel() for e in edges]), [20, 50, 80])
    sample = volume.ravel()[:: max(1, volume.size // SCALE_SAMPLE)]
    span = np.subtract(*np.percentile(sample.clip(min=AIR_HU), [99.5, 0.5]))
    if high - low > EVEN_SHARE * span:
        return above_threshold(volume)
    return above_threshold(np.abs(np.maximum(volume, AIR_HU) - np.float32(middle)))


def above_threshold(volume: np.ndarray) -> np.ndarray:
    """Voxels above Otsu's threshold (IEEE Trans Syst Man Cybern 9 (1979) 62) of a sample."""
    sample = volume.ravel()[:: max(1, volume.size // SCALE_SAMPLE)]
    low, high = np.percentile(sample, [0.5, 99.5])
    counts, edges = np.histogram(sample.clip(low, high), bins=128)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    total = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    above = counts.sum() - below
    means = total[:-1] / below.clip(1), (total[-1] - total[:-1]) / above.clip(1)
    return volume > edges[1:-1][np.argmax(below * above * (means[1] - means[0]) ** 2)]


def _intensity_scale(
    inside: np.ndarray, span: np.ndarray, linear_share: float
) -> tuple[float, float, torch.Tensor]:
    """(lowest, highest, table of SCALE_STEPS values 0 .. 1): part linear, part rank-equalised.

    `inside` are the body's intensities, whose ranks count; `span` those that the scale covers.
    """
    inside = np.sort(inside[:: max(1, inside.size // SCALE_SAMPLE)])
    if inside.size < 64:
        raise ValueError("the body mask is empty; check the scan's intensities and its mask")
    sample = span.ravel()[:: max(1, span.size // SCALE_SAMPLE)]
    low, high = (float(value) for value in np.percentile(sample, [0.2, 99.8]))
    if not high > low:
        raise ValueError("the scan is flat inside its body mask; check that it holds an image")
    steps = np.linspace(low, high, SCALE_STEPS)
    ranks = np.searchsorted(inside, steps, "left") + np.searchsorted(inside, steps, "right")
    table = linear_share * np.linspace(0, 1, SCALE_STEPS)
    table += (1 - linear_share) * ranks / (2.0 * inside.size)
    return low, high, torch.from_numpy(np.clip(table, 0.0, 1.0).astype(np.float32))


def smooth(values: torch.Tensor) -> torch.Tensor:
    """Values (z, y, x) with an eighth of each neighbour along each axis, in place.

    Interpolation between voxels lessens white noise, on them it does not: unsmoothed, the measure
    prefers maps that keep off the voxels.
    """
    found = values.numpy()
    for axis in range(3):
        lines.smooth(lines.along(found, axis), NEIGHBOUR_SHARE)
    return values


def _apply_scale(volume: np.ndarray, scale: tuple[float, float, torch.Tensor]) -> torch.Tensor:
    low, high, table = scale
    position = torch.from_numpy(volume) - low
    position.mul_((SCALE_STEPS - 1) / (high - low)).clamp_(0, SCALE_STEPS - 1)
    found = table.index_select(0, position.round_().int().reshape(-1))
    return found.reshape(volume.shape)
