"""Registration of one scan to another: many coarse starts, few finer ones, one finest."""

from dataclasses import dataclass, replace

import numpy as np

from ctharmony.registration.judgement import (
    Evidence,
    Found,
    confidence,
    judge,
    measure,
)
from ctharmony.registration.objective import to_matrix
from ctharmony.registration.orientation import best_orientation
from ctharmony.registration.pyramid import Image, Level, build_levels
from ctharmony.registration.sampling import FixedScan, Frame, draw_points, moving_grid
from ctharmony.registration.search import Climb, search
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.transforms import about

CLEARLY = 1.15  # another orientation must score this much better than the header's


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
        agreement: share of the pushed-off starts that came back to within 16 mm.
        confidence: 0 .. 1, the geometric mean of information, coverage and agreement, each relative
            to what is usual in a good match (see judgement.confidence).
        turned: the header's orientation is wrong; the transform mends it.
    """

    transform: np.ndarray
    status: str
    reason: str
    mi_before_nats: float
    mi_after_nats: float
    explained: float
    coverage: float
    agreement: float
    confidence: float
    turned: bool = False


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
    still = Found(np.eye(4), 0.0, 0.0)
    found = find_transform(fixed, levels, settings)
    before, evidence = (_evidence(fixed, levels, one) for one in (still, found))
    turned = find_turned(fixed, levels, found, settings) if _doubted(evidence, settings) else None
    if turned is not None:
        found, evidence = turned, _evidence(fixed, levels, turned)
    elif before.nats >= evidence.nats and before.coverage >= evidence.coverage:
        # scans aligned by their headers can only lose by a search over sampled points
        found, evidence = replace(found, matrix=still.matrix), before
    return RegistrationResult(
        found.matrix,
        *judge(evidence, found, settings, turned is not None),
        before.nats,
        evidence.nats,
        evidence.explained,
        evidence.coverage,
        found.agreement,
        confidence(evidence, found.agreement, settings),
        turned is not None,
    )


def _evidence(fixed: FixedScan, moving: list[Level], found: Found) -> Evidence:
    return measure(fixed.levels[-1], moving[-1], found.matrix)


def _doubted(evidence: Evidence, settings: RegistrationSettings) -> bool:
    """Whether the other orientations are to be tried."""
    low = evidence.explained < settings.doubtful_information
    return settings.orientation_search == "always" or (
        settings.orientation_search == "doubtful" and low
    )


def find_turned(
    fixed: FixedScan, moving: list[Level], header: Found, settings: RegistrationSettings
) -> Found | None:
    """The map under another orientation of the axes, where it beats the header's clearly."""
    turn, best = best_orientation(fixed, moving[0], settings)
    if best <= CLEARLY * header.score:
        return None
    turned = [level.turned(turn) for level in moving]
    found = find_transform(fixed, turned, settings)
    if found.score <= CLEARLY * header.score:
        return None
    back = about(turn, np.zeros(3), np.zeros(3))
    return replace(found, matrix=back @ found.matrix)


def find_transform(fixed: FixedScan, moving: list[Level], settings: RegistrationSettings) -> Found:
    """The best map of fixed to moving world points."""
    maps, agreement, score = search(fixed, moving[0], settings)
    for number, level in enumerate(moving[1:], start=1):
        if number == len(moving) - 1 and number > 1:
            matrix = to_matrix(maps[0], fixed.points[-1])
            coarser = measure(fixed.levels[number - 1], moving[number - 1], matrix)
            if coarser.explained < settings.detail_information:
                break
        points = fixed.points[number]
        climb = Climb(points, moving_grid(level, points.count), settings, number)
        maps = climb.best(climb.refine(maps, settings.motion == "rigid"), 1).maps
    return Found(to_matrix(maps[0], fixed.points[-1]), agreement, score)
