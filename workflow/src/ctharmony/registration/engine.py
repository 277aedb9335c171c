"""Registration of one scan to another: many coarse starts, few finer ones, one finest."""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.registration.judgement import judge, measure
from ctharmony.registration.objective import align, to_matrix
from ctharmony.registration.optimiser import Ascent, Rules, ascend
from ctharmony.registration.pyramid import Image, Level, build_levels
from ctharmony.registration.sampling import FixedPoints, Frame, MovingGrid, draw_points, moving_grid
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.starts import (
    best_starts,
    body_middle,
    map_distance,
    rank,
    rotations,
    shifts,
    starting_maps,
)

TOLERANCE = 0.004  # of the level's voxel size
FINALISTS = (2, 1)  # maps that leave each level, the last number for all finer ones
SAME_MM = 2.0  # ends closer than this are one
AGREE_MM = 8.0
SMALLEST_OVERLAP = 0.1


@dataclass(frozen=True)
class RegistrationResult:
    """What registration found.

    Attributes:
        transform: (4, 4) world RAS mm, fixed points to moving points.
        status: ok, warned or failed.
        reason: why not ok, in words; empty when ok.
        mi_before_nats: mutual information with the headers as they are.
        mi_after_nats: mutual information after registration.
        explained: share of the fixed scan's entropy explained after registration, bias removed.
        coverage: share of the fixed body that the moving scan shows.
        agreement: share of the refined starts that ended within 5 mm of the result.
    """

    transform: np.ndarray
    status: str
    reason: str
    mi_before_nats: float
    mi_after_nats: float
    explained: float
    coverage: float
    agreement: float


@dataclass(frozen=True)
class FixedScan:
    """A fixed scan prepared once for many registrations: levels and their points."""

    levels: list[Level]
    points: list[FixedPoints]


def prepare_fixed(image: Image, settings: RegistrationSettings, seed: int = 0) -> FixedScan:
    """Pool the fixed scan and draw its points; the same seed gives the same points.

    Raises:
        ValueError: the body mask is empty or the scan is flat.
    """
    levels = build_levels(image, settings)
    frame = Frame.of(levels[0])
    points = [
        draw_points(level, frame, count, bins, seed + number)
        for number, (level, count, bins) in enumerate(
            zip(levels, settings.points, settings.bins, strict=True)
        )
    ]
    return FixedScan(levels, points)


def register(
    fixed: Image, moving: Image, settings: RegistrationSettings, seed: int = 0
) -> RegistrationResult:
    """Find the rigid or affine map that maximises mutual information.

    Raises:
        ValueError: a body mask is empty or a scan is flat.
    """
    return register_to(prepare_fixed(fixed, settings, seed), moving, settings)


def register_to(
    fixed: FixedScan, moving: Image, settings: RegistrationSettings
) -> RegistrationResult:
    """`register` with the fixed scan prepared once.

    Raises:
        ValueError: the moving scan's body mask is empty or it is flat.
    """
    levels = build_levels(moving, settings)
    transform, agreement = find_transform(fixed, levels, settings)
    evidence = measure(fixed.levels[-1], levels[-1], transform)
    status, reason = judge(evidence, transform, agreement, settings)
    before = measure(fixed.levels[-1], levels[-1], np.eye(4))
    return RegistrationResult(
        transform,
        status,
        reason,
        before.nats,
        evidence.nats,
        evidence.explained,
        evidence.coverage,
        agreement,
    )


def find_transform(
    fixed: FixedScan, moving: list[Level], settings: RegistrationSettings
) -> tuple[np.ndarray, float]:
    """The best (4, 4) map of fixed to moving world points, mm, and the agreement of the starts."""
    maps, agreement = _start(fixed, moving[0], settings), 1.0
    always_rigid = settings.motion == "rigid"
    for number, level in enumerate(moving):
        points = fixed.points[number]
        climb = _Climb(points, moving_grid(level, points.count), settings, number)
        found = climb.refine(maps, always_rigid or number == 0)
        if number == 0:
            agreement = _agreement(found, points)
            found = climb.refine(climb.keep(found).maps, always_rigid)
        maps = climb.keep(found).maps
    return to_matrix(maps[0], fixed.points[-1]), agreement


@dataclass(frozen=True)
class _Climb:
    """The ascents of one level."""

    points: FixedPoints
    grid: MovingGrid
    settings: RegistrationSettings
    number: int

    def refine(self, maps: torch.Tensor, rigid: bool) -> Ascent:
        normalized = self.settings.measure == "normalized_mutual_information"
        rules = Rules(
            rigid,
            self.settings.iterations[self.number],
            TOLERANCE * self.settings.levels_mm[self.number],
            SMALLEST_OVERLAP,
        )
        return ascend(lambda m: align(self.points, self.grid, m, normalized, True), maps, rules)

    def keep(self, found: Ascent) -> Ascent:
        """The best few distinct ends, fewer at every level."""
        score = rank(found.value, found.overlap, self.points)
        order = torch.argsort(score, descending=True, stable=True)
        chosen: list[int] = []
        for one in order.tolist():
            if all(map_distance(found.maps[one], found.maps[other]) > SAME_MM for other in chosen):
                chosen.append(one)
        few = chosen[: FINALISTS[min(self.number, len(FINALISTS) - 1)]]
        return Ascent(found.maps[few], found.value[few], found.overlap[few])


def _start(fixed: FixedScan, moving: Level, settings: RegistrationSettings) -> torch.Tensor:
    points, level = fixed.points[0], fixed.levels[0]
    turns = rotations(settings.rotation_degrees)
    offsets = shifts(level, moving, settings.shift_step_mm)
    maps = starting_maps(points, turns, offsets, body_middle(moving))
    return best_starts(points, moving_grid(moving, points.count), maps, settings.kept_starts)


def _agreement(found: Ascent, points: FixedPoints) -> float:
    """Share of the refined starts that ended where the best one did."""
    best = found.maps[int(rank(found.value, found.overlap, points).argmax())]
    near = [map_distance(best, other) <= AGREE_MM for other in found.maps]
    return sum(near) / len(near)
