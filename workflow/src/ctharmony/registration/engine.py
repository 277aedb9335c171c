"""Registration of one scan to another: many coarse starts, few finer ones, one finest."""

from dataclasses import dataclass

import numpy as np

from ctharmony.registration.judgement import judge, measure
from ctharmony.registration.objective import to_matrix
from ctharmony.registration.pyramid import Image, Level, build_levels
from ctharmony.registration.sampling import FixedScan, Frame, draw_points, moving_grid
from ctharmony.registration.search import Climb, search
from ctharmony.registration.settings import RegistrationSettings


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
    """

    transform: np.ndarray
    status: str
    reason: str
    mi_before_nats: float
    mi_after_nats: float
    explained: float
    coverage: float
    agreement: float


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
    before = measure(fixed.levels[-1], levels[-1], np.eye(4))
    if before.nats >= evidence.nats and before.coverage >= evidence.coverage:
        # scans aligned by their headers can only lose by a search over sampled points
        transform, evidence = np.eye(4), before
    status, reason = judge(evidence, transform, agreement, settings)
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
    maps, agreement = search(fixed, moving[0], settings)
    for number, level in enumerate(moving[1:], start=1):
        points = fixed.points[number]
        climb = Climb(points, moving_grid(level, points.count), settings, number)
        maps = climb.best(climb.refine(maps, settings.motion == "rigid"), 1).maps
    return to_matrix(maps[0], fixed.points[-1]), agreement
