"""Ribs, spine and sternum as capsules; see `anatomy` for coordinates and the capsule's columns."""

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
LEVELS = range(-8, 9)


def capsule(start: Point, end: Point, radii: tuple[float, float], tissue: Mixture) -> Capsule:
    """One row of `Anatomy.capsules`."""
    return (*start, *end, *radii, *tissue)


def tube(points: list[Point], radius: float, tissue: Mixture) -> list[Capsule]:
    """Capsules along a polyline."""
    return [capsule(a, b, (radius, radius), tissue) for a, b in pairwise(points)]


def bones(torso: Torso, tissues: Tissues) -> list[Capsule]:
    """All bones of the chest, cortical shells first and their marrow after."""
    return [*_ribs(torso, tissues), *_arches(torso, tissues), *_sternum(torso, tissues)]


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
        across, along = math.sin(angle), -math.cos(angle)
        # same superellipse of order 2.5 as the cavity, 5 mm further out
        size = (across**2.5 + abs(along) ** 2.5) ** (-1 / 2.5)
        x = side * (torso.cavity[0] + 5.0) * size * across
        y = (torso.cavity[1] + 5.0) * size * along
        points.append((x, y, height + 50.0 - RIB_DROP_MM * (angle / math.pi) ** 1.2))
    return points


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
