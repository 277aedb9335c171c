"""The moving scan, one or one for each of many maps, ready to be interpolated."""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.registration.pyramid import Level


@dataclass(frozen=True)
class MovingGrid:
    """The moving scan at one level, ready to be interpolated.

    Attributes:
        flat: float tensor, intensities scaled to 0 .. bins-1, (z, y, x) flattened.
        shape: (z, y, x).
        to_voxel: (4, 4) float64, world mm to voxel (x, y, z).
        field: (3, 2) first and last voxel coordinate (x, y, z) that the scanner saw.
    """

    flat: torch.Tensor
    shape: tuple[int, int, int]
    to_voxel: np.ndarray
    field: np.ndarray

    start = 0
    scale = 1.0

    @property
    def to_voxels(self) -> torch.Tensor:
        """`to_voxel` as a tensor."""
        return torch.from_numpy(self.to_voxel).to(self.flat.device)

    def axis(self, number: int) -> tuple[int, float, float]:
        """Size of axis 0 (x), 1 (y) or 2 (z), first and last coordinate that was seen."""
        first, last = self.field[number].tolist()
        return self.shape[2 - number], first, last


@dataclass(frozen=True)
class GridRows:
    """For each of R maps the scan that it looks into; all scans lie one after another in `flat`.

    Attributes:
        flat: (V,) float tensor, intensities 0 .. 1 of many scans, each (z, y, x) flattened.
        start: (R, 1) int64, where the row's scan begins.
        sizes: (R, 3) int64 voxels along x, y, z.
        fields: (R, 3, 2) float, as MovingGrid.field.
        to_voxels: (R, 4, 4) float64, world mm to voxel (x, y, z).
        scale: that takes intensities to bins.
    """

    flat: torch.Tensor
    start: torch.Tensor
    sizes: torch.Tensor
    fields: torch.Tensor
    to_voxels: torch.Tensor
    scale: float

    def axis(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As MovingGrid.axis, of each row, (R, 1)."""
        first, last = self.fields[:, number].unbind(1)
        return self.sizes[:, number, None], first[:, None], last[:, None]

    def of(self, rows: torch.Tensor) -> "GridRows":
        """Some of the rows, by number."""
        parts = (part[rows] for part in (self.start, self.sizes, self.fields, self.to_voxels))
        return GridRows(self.flat, *parts, self.scale)


def moving_grid(level: Level, bins: int) -> MovingGrid:
    """Scale a level to bins; grids one voxel thick are doubled so that they can be interpolated."""
    values = thickened(level.values if bins == 2 else level.values * (bins - 1))
    return MovingGrid(
        values.reshape(-1).contiguous(),
        tuple(values.shape),
        np.linalg.inv(level.affine),
        level.field,
    )


def thickened(values: torch.Tensor) -> torch.Tensor:
    """A volume (z, y, x) with the axes that are one voxel long doubled."""
    for axis, size in enumerate(values.shape):
        if size == 1:
            values = values.repeat_interleave(2, dim=axis)
    return values


def interpolate(
    grid: MovingGrid | GridRows, voxels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Trilinear values, their exact derivatives, and whether the grid reaches there.

    Args:
        grid: the scan, or that of each row.
        voxels: (B, 3, N) rows x, y, z in voxels.

    Returns:
        values (B, N); derivatives (B, 3, N) per voxel; inside (B, N), 1 or 0 (outside, values are
        those of the nearest border).
    """
    inside, corner, part, free, sizes = True, [], [], [], []
    for axis in range(3):
        place, (size, first, last) = voxels[:, axis], grid.axis(axis)
        inside = (place >= first) & (place <= last) & inside
        held = place.clamp(min=0.0).clamp(max=size - 1.0)
        free.append(held == place)
        lower = held.floor().clamp(max=size - 2)
        part.append(held - lower)
        corner.append(lower.long())  # 32-bit floats count voxels exactly only up to 16 million
        sizes.append(size)
    width, height, _ = sizes
    index = (corner[2] * height + corner[1]).mul_(width).add_(corner[0]).add_(grid.start)
    value, slopes = _blend(grid.flat, index, (width, width * height), part)
    return value, slopes * torch.stack(free, dim=1), inside.to(value.dtype)


def _blend(
    flat: torch.Tensor, index: torch.Tensor, strides: tuple, part: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    width, plane = strides
    x, y, z = part
    along, steps = [], []
    for offset in (0, width, plane, plane + width):
        first = torch.take(flat, index + offset)
        step = torch.take(flat, index + (offset + 1)) - first
        along.append(torch.addcmul(first, step, x))
        steps.append(step)
    near, far = along[1] - along[0], along[3] - along[2]
    front, back = torch.addcmul(along[0], near, y), torch.addcmul(along[2], far, y)
    by_z = back - front
    step_near = torch.addcmul(steps[0], steps[1] - steps[0], y)
    step_far = torch.addcmul(steps[2], steps[3] - steps[2], y)
    by_x = torch.addcmul(step_near, step_far - step_near, z)
    by_y = torch.addcmul(near, far - near, z)
    return torch.addcmul(front, by_z, z), torch.stack([by_x, by_y, by_z], dim=1)
