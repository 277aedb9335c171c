"""Ribs, shoulder blades, spine and sternum as capsules; columns and axes as of `anatomy`."""

import math
from itertools import pairwise

from ctharmony.phantom.tissues import Mixture, Tissues
from ctharmony.phantom.torso import Torso

Capsule = tuple[float, ...]
Point = tuple[float, float, float]
RIB_SPACING_MM = 25.0
RIB_DROP_MM = 105.0  # from the spine to the front
RIBS = range(-6, 10)
RIB_RADIUS_MM, MARROW_RADIUS_MM = 5.0, 3.4
VERTEBRA_MM = 24.0
SCAPULA_MM, SCAPULA_ROWS = (-20.0, 110.0), 34  # lower tip and upper end
LEVELS = range(-8, 9)


def capsule(start: Point, end: Point, radii: tuple[float, float], tissue: Mixture) -> Capsule:
    """One row of `Anatomy.capsules`."""
    return (*start, *end, *radii, *tissue)


def tube(points: list[Point], radius: float, tissue: Mixture) -> list[Capsule]:
    """Capsules along a polyline."""
    return [capsule(a, b, (radius, radius), tissue) for a, b in pairwise(points)]


def bones(torso: Torso, tissues: Tissues) -> list[Capsule]:
    """All bones of the chest, cortical shells first and their marrow after."""
    return [
        *_ribs(torso, tissues),
        *_scapulae(torso, tissues),
        *_arches(torso, tissues),
        *_sternum(torso, tissues),
    ]


def vertebrae(torso: Torso, tissues: Tissues) -> list[tuple[float, ...]]:
    """Rows of `Anatomy.spine`."""
    parts = (tissues.cartilage, tissues.cortical, tissues.trabecular)
    return [(torso.spine_y, 17.0, 14.5, VERTEBRA_MM), *parts]


def _ribs(torso: Torso, tissues: Tissues) -> list[Capsule]:
    rows: list[Capsule] = []
    for level in RIBS:
        for side in (-1.0, 1.0):
            points = _rib_line(torso, level * RIB_SPACING_MM, side)
            bony, front = points[:17], points[16:]
            rows += tube(bony, RIB_RADIUS_MM, tissues.cortical)
            rows += tube(front, RIB_RADIUS_MM, tissues.cartilage)
            rows += tube(bony[:-1], MARROW_RADIUS_MM, tissues.trabecular)
    return rows


def _rib_line(torso: Torso, height: float, side: float) -> list[Point]:
    points = []
    for step in range(21):
        angle = math.radians(14.0 + 7.4 * step)
        x, y = _around(torso, angle, 5.0)
        points.append((side * x, y, height + 50.0 - RIB_DROP_MM * (angle / math.pi) ** 1.2))
    return points


def _around(torso: Torso, angle: float, out_mm: float) -> tuple[float, float]:
    """x and y at an angle from the back, outside the cavity, whose superellipse has order 2.5."""
    across, along = math.sin(angle), -math.cos(angle)
    size = (across**2.5 + abs(along) ** 2.5) ** (-1 / 2.5)
    return (torso.cavity[0] + out_mm) * size * across, (torso.cavity[1] + out_mm) * size * along


def _scapulae(torso: Torso, tissues: Tissues) -> list[Capsule]:
    """Shoulder blades: plates behind the ribs, narrower towards their lower tip."""
    rows: list[Capsule] = []
    for step in range(SCAPULA_ROWS):
        height = SCAPULA_MM[0] + (SCAPULA_MM[1] - SCAPULA_MM[0]) * step / (SCAPULA_ROWS - 1)
        width = 6.0 + 24.0 * step / (SCAPULA_ROWS - 1)
        for side in (-1.0, 1.0):
            line = []
            for turn in (40.0, 40.0 + width / 2, 40.0 + width):
                x, y = _around(torso, math.radians(turn), 14.5)
                line.append((side * x, y, height))
            rows += tube(line, 2.6, tissues.cortical) + tube(line, 1.2, tissues.trabecular)
    return rows


def _arches(torso: Torso, tissues: Tissues) -> list[Capsule]:
    """Vertebral arches: pedicles, canal, spinous and transverse processes, at every level."""
    rows: list[Capsule] = []
    canal = torso.spine_y - 22.0
    for level in LEVELS:
        z = level * VERTEBRA_MM
        ring = [(13.0 * math.sin(t), canal + 12.0 * math.cos(t), z) for t in _turn(12)]
        rows += tube([(x, y, z + 4.0) for x, y, z in ring], 2.8, tissues.cortical)
        rows += tube([(x, y, z - 4.0) for x, y, z in ring], 2.8, tissues.cortical)
        spine = [(0.0, canal - 13.0, z - 2.0), (0.0, canal - 22.0, z - 14.0)]
        rows += tube(spine, 3.4, tissues.cortical) + tube(spine, 2.0, tissues.trabecular)
        for side in (-1.0, 1.0):
            wing = [(side * 12.0, canal - 4.0, z + 3.0), (side * 29.0, canal - 10.0, z + 6.0)]
            rows += tube(wing, 5.0, tissues.cortical) + tube(wing, 3.5, tissues.trabecular)
    ends = [(0.0, canal, -200.0), (0.0, canal, 200.0)]
    return rows + tube(ends, 9.5, tissues.fat) + tube(ends, 5.5, tissues.muscle)


def _sternum(torso: Torso, tissues: Tissues) -> list[Capsule]:
    front = torso.cavity[1] + 6.0
    rows: list[Capsule] = []
    for radius, tissue in ((5.5, tissues.cortical), (4.2, tissues.trabecular)):
        for x in (-11.0, -5.5, 0.0, 5.5, 11.0):
            rows += tube([(x, front, -70.0), (x, front - 6.0, 110.0)], radius, tissue)
    return rows


def _turn(steps: int) -> list[float]:
    return [2.0 * math.pi * k / steps for k in range(steps + 1)]
