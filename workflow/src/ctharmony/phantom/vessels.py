"""Great vessels, airways, trees of the lung, nodules and calcium as capsules.

Lung trees split a cloud of random targets in halves again and again; a branch runs towards the
middle of the targets it feeds and its radius follows Murray's law (J Gen Physiol 1926;9:835).
"""

import math

import numpy as np

from ctharmony.phantom.population import Factors
from ctharmony.phantom.skeleton import Capsule, Point, capsule, tube
from ctharmony.phantom.tissues import CALCIUM_DENSITY, Mixture, Tissues
from ctharmony.phantom.torso import TAPER_MM, Torso

LUNG_HEIGHT_MM = (-110.0, 130.0)
MURRAY = 2.7
MEDIASTINUM = (8.0, 20.0, -18.0, 42.0)  # half width, its bulge, where that is (y) and how long, mm
ARTERY_TARGETS, VEIN_TARGETS, AIRWAY_TARGETS = 900, 700, 160
LEAF_MM, AIRWAY_LEAF_MM = 0.45, 0.55
HEIGHT_WEIGHT = 0.45  # of a cloud's height beside its width: trees also fan out at the hilum
REACH = 0.45  # of the way to the middle of its targets, before a branch splits


def mediastinal_width(y: np.ndarray) -> np.ndarray:
    """Half width in mm of the tissue between the lungs at height y (anterior positive), mm."""
    width, bulge, centre, length = MEDIASTINUM
    return width + bulge * np.exp(-(((y - centre) / length) ** 2))


def inside_lung(points: np.ndarray, torso: Torso, margin: float) -> np.ndarray:
    """(n,) whether points (n, 3) lie in lung, `margin` mm away from wall and mediastinum."""
    x, y, z = points.T
    taper = 1.0 - np.clip(z / TAPER_MM, 0.0, 1.0) ** 3
    across = np.abs(x) / (torso.cavity[0] * taper - margin)
    along = np.abs(y) / (torso.cavity[1] * taper - margin)
    inside = (across**2.5 + along**2.5 < 1.0) & (np.abs(x) > mediastinal_width(y) + margin)
    heart = (points - np.array(torso.heart)) / (np.array(torso.heart_axes) + 4.0 + margin)
    spine = np.hypot(x / (19.0 + margin), (y - torso.spine_y) / (17.0 + margin))
    return inside & ((heart**2).sum(axis=1) > 1.0) & (spine > 1.0)


def mediastinum(torso: Torso, tissues: Tissues) -> list[Capsule]:
    """Aorta, caval veins, pulmonary trunk, oesophagus, trachea and main bronchi."""
    back = torso.spine_y
    aorta_down: list[Point] = [(-26.0, back + 8.0, -150.0), (-25.0, back + 10.0, 62.0)]
    arch: list[Point] = [aorta_down[1], (-16.0, -15.0, 78.0), (4.0, 12.0, 70.0), (9.0, 22.0, 5.0)]
    rows = tube(aorta_down, 11.5, tissues.blood) + tube(arch, 13.5, tissues.blood)
    rows += tube([(27.0, 14.0, 130.0), (26.0, 12.0, -10.0)], 9.5, tissues.blood)
    rows += tube([(-8.0, 30.0, -5.0), (-14.0, 8.0, 22.0)], 13.0, tissues.blood)
    for side in (-1.0, 1.0):
        rows += tube([(-14.0, 8.0, 22.0), (side * 34.0, -6.0, 12.0)], 9.0, tissues.blood)
    rows += tube([(-6.0, back + 21.0, -150.0), (-3.0, back + 22.0, 130.0)], 7.0, tissues.muscle)
    rows += tube([(-6.0, back + 21.0, -150.0), (-3.0, back + 22.0, 130.0)], 1.5, tissues.air)
    airway: list[Point] = [(0.0, -20.0, 140.0), (1.0, -18.0, 38.0)]
    branches = [airway, *([airway[1], _hilum(side)] for side in (-1.0, 1.0))]
    for shell, tissue in ((1.4, tissues.airway_wall), (0.0, tissues.air)):
        for line, radius in zip(branches, (8.5, 5.8, 6.6), strict=True):
            rows += tube(line, radius + shell, tissue)
    return rows


def _hilum(side: float) -> Point:
    return (side * 34.0, -14.0, 12.0 if side > 0 else 8.0)


def lung_trees(torso: Torso, tissues: Tissues, random: np.random.Generator) -> list[Capsule]:
    """Arteries, veins and airways of both lungs."""
    rows: list[Capsule] = []
    for side in (-1.0, 1.0):
        hilum = np.array(_hilum(side))
        for count, shift in ((ARTERY_TARGETS, (0, 8, 4)), (VEIN_TARGETS, (-4 * side, 6, -14))):
            targets = _targets(torso, side, count, random)
            rows += _tree(hilum + shift, targets, (LEAF_MM, 0.0), tissues.blood)
        targets = _targets(torso, side, AIRWAY_TARGETS, random)
        rows += _tree(hilum, targets, (AIRWAY_LEAF_MM, 0.5), tissues.airway_wall)
        rows += _tree(hilum, targets, (AIRWAY_LEAF_MM, 0.0), tissues.air)
    return rows


def _targets(torso: Torso, side: float, count: int, random: np.random.Generator) -> np.ndarray:
    low = (0.0, -torso.cavity[1], LUNG_HEIGHT_MM[0])
    high = (torso.cavity[0], torso.cavity[1], LUNG_HEIGHT_MM[1])
    points = random.uniform(low, high, (6 * count, 3)) * (side, 1.0, 1.0)
    return points[inside_lung(points, torso, 3.0)][:count]


def _tree(
    root: np.ndarray, targets: np.ndarray, leaf: tuple[float, float], tissue: Mixture
) -> list[Capsule]:
    """Capsules of a tree; `leaf` is the radius of its ends and what is added everywhere, mm.

    Works on all branches of one generation at once: `counts` targets of each lie side by side.
    """
    rows: list[np.ndarray] = []
    points, counts = targets, np.array([len(targets)])
    starts, before = root[None], _radius(counts, leaf)
    while len(counts):
        firsts = np.cumsum(counts) - counts
        middles = np.add.reduceat(points, firsts) / counts[:, None]
        ends = starts + np.where(counts == 1, 1.0, REACH)[:, None] * (middles - starts)
        radii = _radius(counts, leaf)
        ahead = np.minimum(before, 1.2 * radii)
        same = np.broadcast_to(np.array(tissue), (len(counts), len(tissue)))
        rows.append(np.column_stack([starts, ends, ahead, radii, same]))
        points, split = _split(points, counts, firsts)
        going = counts > 1
        starts, before = np.repeat(ends[going], 2, axis=0), np.repeat(radii[going], 2)
        counts = split
    return [tuple(row) for row in np.concatenate(rows)]


def _split(
    points: np.ndarray, counts: np.ndarray, firsts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Halve every cloud of several targets across its longest side; single targets end."""
    going = counts > 1
    extent = np.maximum.reduceat(points, firsts) - np.minimum.reduceat(points, firsts)
    extent *= (1.0, 1.0, HEIGHT_WEIGHT)
    cloud = np.repeat(np.arange(len(counts)), counts)
    along = points[np.arange(len(points)), extent.argmax(axis=1)[cloud]]
    order = np.lexsort((along, cloud))
    halves = np.stack([counts // 2, counts - counts // 2], axis=1)[going].ravel()
    return points[order][going[cloud[order]]], halves


def _radius(leaves: np.ndarray, leaf: tuple[float, float]) -> np.ndarray:
    return leaf[0] * leaves ** (1.0 / MURRAY) + leaf[1]


def nodules(
    torso: Torso, tissues: Tissues, factors: Factors, random: np.random.Generator
) -> list[Capsule]:
    """A sphere per nodule, inside lung and near the middle of the chest."""
    rows = []
    for diameter in factors.nodules_mm:
        points = random.uniform((-110, -80, -32), (110, 80, 32), (400, 3))
        centre = tuple(points[inside_lung(points, torso, diameter / 2 + 2.0)][0])
        rows.append(capsule(centre, centre, (diameter / 2, diameter / 2), tissues.nodule))
    return rows


def calcifications(
    torso: Torso, tissues: Tissues, factors: Factors, random: np.random.Generator
) -> list[Capsule]:
    """Plaques on the heart's left front that together hold the patient's calcium mass."""
    if factors.coronary_calcium <= 0:
        return []
    count = 1 + int(min(factors.coronary_calcium / 12.0, 7))
    shares = random.dirichlet(np.full(count, 2.0)) * factors.coronary_calcium
    heart, axes = np.array(torso.heart), np.array(torso.heart_axes) + 1.5
    rows = []
    for mass in shares:
        turn, height = random.uniform(0.2, 0.9), random.uniform(0.15, 0.75)
        flat = math.sqrt(1.0 - height**2)
        direction = np.array([-flat * math.sin(turn), flat * math.cos(turn), height])
        centre = tuple(heart + axes * direction)
        radius = (3.0 * mass / (4.0 * math.pi * CALCIUM_DENSITY)) ** (1.0 / 3.0)
        rows.append(capsule(centre, centre, (radius, radius), tissues.calcium))
    return rows
