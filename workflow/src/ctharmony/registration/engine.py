"""Registration of one scan to another: many coarse starts, few finer ones, one finest."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ctharmony.registration.alone import carry_out
from ctharmony.registration.judgement import Evidence, Found, confidence, judge
from ctharmony.registration.objective import to_matrix
from ctharmony.registration.orientation import best_orientation
from ctharmony.registration.pyramid import Image, Level, build_levels
from ctharmony.registration.sampling import FixedScan, Frame, draw_points
from ctharmony.registration.search import Slope, search
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.steps import Measure, Steps
from ctharmony.registration.transforms import about

FEW_POINTS = 20000  # enough for a level that the next one refines
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
    sizes = list(zip(settings.points, settings.bins, strict=True))
    points = [
        draw_points(level, frame, size, seed + number)
        for number, (level, size) in enumerate(zip(levels, sizes, strict=True))
    ]
    return FixedScan(levels, points, seed + len(levels))


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
    return carry_out(steps_of(fixed, build_levels(moving, settings), settings))


def steps_of(
    fixed: FixedScan, levels: list[Level], settings: RegistrationSettings
) -> Steps[RegistrationResult]:
    """The registration of one scan, given its levels, as the steps it takes."""
    still = Found(np.eye(4), 0.0, 0.0)
    found = yield from _find(fixed, levels, settings)
    before = yield _evidence(fixed, levels, still)
    evidence = yield _evidence(fixed, levels, found)
    turned = None
    if _doubted(evidence, settings):
        turned = yield from _find_turned(fixed, levels, found, settings)
    if turned is not None:
        found, evidence = turned, (yield _evidence(fixed, levels, turned))
    elif before.nats >= evidence.nats and before.coverage >= evidence.coverage:
        # scans aligned by their headers can only lose by a search over sampled points
        found, evidence = replace(found, matrix=still.matrix), before
    return _result(before, evidence, found, settings, turned is not None)


def _result(
    before: Evidence, evidence: Evidence, found: Found, settings: RegistrationSettings, turned: bool
) -> RegistrationResult:
    return RegistrationResult(
        found.matrix,
        *judge(evidence, found, settings, turned),
        before.nats,
        evidence.nats,
        evidence.explained,
        evidence.coverage,
        found.agreement,
        confidence(evidence, found.agreement, settings),
        turned,
    )


def _evidence(fixed: FixedScan, moving: list[Level], found: Found) -> Measure:
    return Measure(fixed.levels[-1], moving[-1], found.matrix)


def _doubted(evidence: Evidence, settings: RegistrationSettings) -> bool:
    """Whether the other orientations are to be tried."""
    low = evidence.explained < settings.doubtful_information
    return settings.orientation_search == "always" or (
        settings.orientation_search == "doubtful" and low
    )


def _find_turned(
    fixed: FixedScan, moving: list[Level], header: Found, settings: RegistrationSettings
) -> Steps[Found | None]:
    """The map under another orientation of the axes, where it beats the header's clearly."""
    turn, best = yield from best_orientation(fixed, moving[0], settings)
    if best <= CLEARLY * header.score:
        return None
    turned = [level.turned(turn) for level in moving]
    found = yield from _find(fixed, turned, settings)
    if found.score <= CLEARLY * header.score:
        return None
    back = about(turn, np.zeros(3), np.zeros(3))
    return replace(found, matrix=back @ found.matrix)


def find_transform(fixed: FixedScan, moving: list[Level], settings: RegistrationSettings) -> Found:
    """The best map of fixed to moving world points."""
    return carry_out(_find(fixed, moving, settings))


def _find(fixed: FixedScan, moving: list[Level], settings: RegistrationSettings) -> Steps[Found]:
    maps, agreement, score = yield from search(fixed, moving[0], settings)
    for number in range(1, len(moving)):
        points, last = fixed.points[number], number == len(moving) - 1
        if last and number > 1 and (yield from _shares_no_detail(fixed, moving, maps, settings)):
            maps = yield from _settle(fixed, moving, maps, settings)
            break
        few = points if last else points.thinned(max(1, points.bins.numel() // FEW_POINTS))
        maps = yield from _climb(Slope(few, moving[number], settings, number), maps)
    return Found(to_matrix(maps[0], fixed.points[-1]), agreement, score)


def _shares_no_detail(
    fixed: FixedScan, moving: list[Level], maps: torch.Tensor, settings: RegistrationSettings
) -> Steps[bool]:
    """Whether too little is explained on the last level but one for its edges to be trusted."""
    matrix = to_matrix(maps[0], fixed.points[-1])
    found = yield Measure(fixed.levels[-2], moving[-2], matrix)
    return found.explained < settings.detail_information


def _settle(
    fixed: FixedScan, moving: list[Level], maps: torch.Tensor, settings: RegistrationSettings
) -> Steps[torch.Tensor]:
    """The better of the ends (1, 3, 4) reached with even samples on the last two levels."""
    ends = []
    for number, points in enumerate(fixed.even, start=len(moving) - 2):
        maps = yield from _climb(Slope(points, moving[number], settings, number), maps)
        matrix = to_matrix(maps[0], fixed.points[-1])
        found = yield Measure(fixed.levels[-1], moving[-1], matrix)
        ends.append((found.nats, maps))
    return max(ends, key=lambda end: end[0])[1]


def _climb(slope: Slope, maps: torch.Tensor) -> Steps[torch.Tensor]:
    """The best (1, 3, 4) of the ends reached from `maps`."""
    found = yield from slope.refine(maps, slope.settings.motion == "rigid")
    return slope.best(found, 1).maps
