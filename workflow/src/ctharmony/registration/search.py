"""The coarse search: from many starting positions to the few worth refining."""

from dataclasses import dataclass, replace

import torch

from ctharmony.registration.optimiser import Ascent, Rules, moved_by
from ctharmony.registration.pyramid import Level
from ctharmony.registration.sampling import FixedPoints, FixedScan
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.starts import (
    best_starts,
    body_middle,
    distinct,
    rank,
    rotations,
    shifts,
    starting_maps,
)
from ctharmony.registration.steps import Climb, Steps

TOLERANCE = 0.02  # of the level's voxel size: the next level goes on from there
LAST_TOLERANCE = 0.005  # the finest level's
SAME_MM = 2.0  # ends closer than this are one
AGREE_MM = 16.0  # two coarse voxels
LEAST_OVERLAP = 0.1
SEMIFINALISTS = 4
SHAKES = ((0, 0, 0), (2, 0, 0), (0, 2, 0), (0, 0, 2), (0, 0, 4))  # in coarse voxels
FINALISTS = 3


@dataclass(frozen=True)
class Slope:
    """Where ascents take place: the samples, and the moving scan at level `number`."""

    points: FixedPoints
    moving: Level
    settings: RegistrationSettings
    number: int

    def refine(self, maps: torch.Tensor, rigid: bool) -> Steps[Ascent]:
        """Climb from each of the maps (B, 3, 4)."""
        normalized = self.settings.measure == "normalized_mutual_information"
        iterations = self.settings.iterations[self.number]
        rules = Rules(rigid, iterations, self.tolerance_mm, LEAST_OVERLAP)
        return (yield Climb(self.points, self.moving, maps, rules, normalized))

    @property
    def tolerance_mm(self) -> float:
        """A step that is no longer worth taking."""
        levels = self.settings.levels_mm
        last = self.number == len(levels) - 1
        return (LAST_TOLERANCE if last else TOLERANCE) * levels[self.number]

    def best(self, found: Ascent, most: int) -> Ascent:
        """At most `most` distinct ends, the best first."""
        score = rank(found.value, found.overlap, self.points)
        order = torch.argsort(score, descending=True, stable=True).tolist()
        few = distinct(found.maps, order, SAME_MM, most)
        return Ascent(found.maps[few], found.value[few], found.overlap[few])


def search(
    fixed: FixedScan, moving: Level, settings: RegistrationSettings
) -> Steps[tuple[torch.Tensor, float, float]]:
    """Up to two maps (few, 3, 4), the best first, the share of pushed-off starts that agree, score.

    Between two patients mutual information has many small hills, so the best ends are pushed off
    and climb again: what comes back to the same place can be believed.
    """
    points, rigid = fixed.points[0], settings.motion == "rigid"
    slope = Slope(points, moving, settings, 0)
    quick = replace(slope, points=points.quick())
    offsets = shifts(fixed.levels[0], moving, settings.shift_step_mm)
    turns = rotations(settings.rotation_degrees)
    maps = starting_maps(points, turns, offsets, body_middle(moving))
    maps = yield from best_starts(points, moving, maps, settings.kept_starts)
    found = quick.best((yield from quick.refine(maps, True)), SEMIFINALISTS)
    found = quick.best((yield from quick.refine(found.maps, rigid)), 1)
    again = yield from quick.refine(shake(found.maps, settings.levels_mm[0]), rigid)
    best = yield from slope.refine(quick.best(again, FINALISTS).maps, rigid)
    best = slope.best(best, 2)
    near = int((moved_by(again.maps - best.maps[0]) <= AGREE_MM).sum())
    score = float(rank(best.value, best.overlap, points)[0])
    return best.maps, near / len(again.maps), score


def shake(maps: torch.Tensor, voxel_mm: float) -> torch.Tensor:
    """Each map (B, 3, 4) and copies of it pushed off along each axis, both ways."""
    steps = torch.tensor(SHAKES, dtype=maps.dtype) * voxel_mm
    steps = torch.cat([steps, -steps[1:]])
    shaken = maps[:, None].repeat(1, len(steps), 1, 1)
    shaken[..., 3] += steps
    return shaken.flatten(0, 1)
