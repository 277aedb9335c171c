"""Where the fixed scan is sampled."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ctharmony.registration import lines
from ctharmony.registration.grids import interpolate, moving_grid
from ctharmony.registration.pyramid import Level

QUICK_POINTS = 2000
EDGE_FLOOR = 1.0  # share of the mean edge strength given to flat places, so none goes unsampled
EVEN_FLOOR = 10.0  # the same where edges are not to be preferred


@dataclass(frozen=True)
class Frame:
    """Centre (3,) and root mean square radius of the fixed scan's mask, mm."""

    centre: np.ndarray
    radius: float

    @classmethod
    def of(cls, level: Level) -> "Frame":
        """The frame of a level's mask.

        Raises:
            ValueError: the mask is empty.
        """
        voxels = np.argwhere(level.mask)[:, ::-1]
        if not len(voxels):
            raise ValueError("the fixed scan's mask is empty; check the template's mask")
        world = voxels @ level.affine[:3, :3].T + level.affine[:3, 3]
        centre = world.mean(axis=0)
        return cls(centre, float(np.sqrt(((world - centre) ** 2).sum(axis=1).mean())))


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Samples of the fixed scan at one level; each is made once, so that scans can share it.

    Attributes:
        unit: (4, N) float: (position - centre) / radius and a row of ones.
        bins: (N,) int64 nearest bin of the fixed intensity.
        frame: the unit of positions, the same at every level.
        count: number of bins.
    """

    unit: torch.Tensor
    bins: torch.Tensor
    frame: Frame
    count: int

    @property
    def size(self) -> tuple[int, int]:
        """Number of points, number of bins."""
        return self.bins.numel(), self.count

    @cached_property
    def products(self) -> torch.Tensor:
        """(N, 10) products of the rows of `unit`, each pair once."""
        return torch.cat([self.unit[c : c + 1] * self.unit[c:] for c in range(4)]).T.contiguous()

    def world(self) -> np.ndarray:
        """(N, 3) positions in mm."""
        return self.unit[:3].T.double().numpy() * self.frame.radius + self.frame.centre

    def quick(self) -> "FixedPoints":
        """About QUICK_POINTS of the samples, for the climbs from many starts."""
        return self.thinned(max(1, self.bins.numel() // QUICK_POINTS))

    def thinned(self, step: int) -> "FixedPoints":
        """Every `step`-th sample."""
        if step not in self._thinner:
            unit = self.unit[:, ::step].contiguous()
            few = FixedPoints(unit, self.bins[::step], self.frame, self.count)
            self._thinner[step] = few
        return self._thinner[step]

    @cached_property
    def _thinner(self) -> dict[int, "FixedPoints"]:
        return {}

    def on(self, device: torch.device) -> "FixedPoints":
        """The same samples on a device."""
        return replace(self, unit=self.unit.to(device), bins=self.bins.to(device))


@dataclass(frozen=True)
class FixedScan:
    """A fixed scan prepared once for many registrations.

    Attributes:
        levels: coarse to fine.
        points: of each level, more of them where intensities change.
        seed: of further draws.
    """

    levels: list[Level]
    points: list[FixedPoints]
    seed: int

    @cached_property
    def even(self) -> list[FixedPoints]:
        """Samples of the last two levels, spread almost evenly, in the bins of the coarser one.

        Where the other scan shows edges elsewhere (a T1 and a CT, two patients), samples that
        prefer edges prefer a wrong size, and fine bins see little but their own bias.
        """
        known = self.points[-2]
        return [
            draw_points(level, known.frame, known.size, self.seed + number, EVEN_FLOOR)
            for number, level in enumerate(self.levels[-2:])
        ]


def draw_points(
    level: Level, frame: Frame, size: tuple[int, int], seed: int, floor: float = EDGE_FLOOR
) -> FixedPoints:
    """Draw jittered points of the mask, more where intensities change.

    Args:
        level: the fixed scan.
        frame: the unit of positions.
        size: number of points, number of bins.
        seed: of the draw.
        floor: share of the mean edge strength that every place is given beside its own.

    Systematic draws along the raster order: even coverage, sorted memory access, no repeats but in
    strong edges, and the same points for the same seed.
    """
    count, bins = size
    random = np.random.default_rng(seed)
    places = np.flatnonzero(level.mask)
    spacing = np.linalg.norm(level.affine[:3, :3], axis=0)[::-1].astype(np.float32)
    strength = lines.edge_strength(level.values.numpy(), places, spacing)
    strength += floor * strength.mean() + np.float32(1e-6)
    cumulative = np.cumsum(strength, dtype=np.float64)
    aims = (np.arange(count) + random.random(count)) * (cumulative[-1] / count)
    chosen = places[np.searchsorted(cumulative, aims).clip(max=places.size - 1)]
    voxels = np.stack(np.unravel_index(chosen, level.mask.shape)[::-1], axis=1).astype(np.float64)
    voxels += random.random(voxels.shape) - 0.5
    unit = np.ones((4, count), dtype=np.float32)
    world = voxels @ level.affine[:3, :3].T + level.affine[:3, 3]
    unit[:3] = ((world - frame.centre) / frame.radius).T
    grid = moving_grid(level, bins)
    voxel_rows = torch.from_numpy(np.ascontiguousarray(voxels.T, dtype=np.float32))[None]
    values, _, _ = interpolate(grid, voxel_rows)
    nearest = values[0].round().long()
    return FixedPoints(torch.from_numpy(unit), nearest, frame, bins)
