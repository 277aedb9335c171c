"""Body outline, muscle, cavity and heart: the large shapes of the chest.

A solid is a row (order, centre x, y, z, half axes a, b, c, water, bone, iodine, label); order 2 is
an ellipsoid, order 2.5 a column along z with that superellipse as its outline, narrowing above its
centre over the height c.
"""

from typing import NamedTuple

import numpy as np

from ctharmony.phantom.population import Factors
from ctharmony.phantom.tissues import LABELS, Mixture, Tissues

Solid = tuple[float, ...]
SKIN_MM = 1.6
# depth under the outer muscles, across and along, where a layer of fat begins and where it ends
FAT_PLANE_MM = ((6.0, 7.5), (8.5, 8.0))
HEART_FAT_MM = 4.0
TAPER_MM = 160.0
NO_TAPER_MM = 1e6
TABLE_MM, TABLE_WIDTH_MM, TABLE_SHELL_MM = 18.0, 190.0, 1.5
CARBON_DENSITY, FOAM_DENSITY = 1.3, 0.05  # g/cm3 of water that attenuates alike
HEART_CHAMBERS = (
    ((-16.0, 2.0, -4.0), -28.0),
    ((18.0, 6.0, -4.0), -24.0),
    ((4.0, -20.0, 14.0), -22.0),
)


class Torso(NamedTuple):
    """Sizes in mm, from the patient's sex, stature and fat.

    Attributes:
        body: half axes of the skin.
        muscle: half axes of the muscle wall.
        muscle_y: its shift to anterior.
        cavity: half axes of the chest's inside.
        spine_y: middle of the vertebral bodies.
        heart: centre.
        heart_axes: half axes.
        breast: thickness of breasts, 0 without.
    """

    body: tuple[float, float]
    muscle: tuple[float, float]
    muscle_y: float
    cavity: tuple[float, float]
    spine_y: float
    heart: tuple[float, float, float]
    heart_axes: tuple[float, float, float]
    breast: float


def make_torso(factors: Factors, random: np.random.Generator) -> Torso:
    """Sizes of a patient; the heart's place is drawn."""
    man = factors.sex == "M"
    fat = 4.0 + 36.0 * (factors.body_fat - 0.1)
    cage_x = 107.0 + 4.0 * factors.stature + 4.0 * man
    cage_y = 81.0 + 3.0 * factors.stature + 3.0 * man
    wall = 8.0 + 2.0 * man
    scale = cage_x / 108.0
    lie = random.normal(0.0, 1.0, 3)
    return Torso(
        body=(cage_x + wall + 0.7 * fat, cage_y + wall + 4.0 + 0.8 * fat),
        muscle=(cage_x + wall, cage_y + wall + 3.0),
        muscle_y=-0.1 * fat,
        cavity=(cage_x - 8.0, cage_y - 8.0),
        spine_y=-cage_y + 29.0,
        heart=(-20.0 + 3.0 * lie[0], 22.0 + 2.0 * lie[1], -42.0 + 5.0 * lie[2]),
        heart_axes=(50.0 * scale, 40.0 * scale, 52.0 * scale),
        breast=0.0 if man else 12.0 + 60.0 * (factors.body_fat - 0.1),
    )


def wall_solids(torso: Torso, tissues: Tissues) -> list[Solid]:
    """Skin, fat, two layers of muscle and the fat that fills the cavity, in drawing order."""
    rows: list[Solid] = []
    for depth, tissue in ((0.0, tissues.muscle), (SKIN_MM, tissues.fat)):
        if torso.breast > 0:
            axes = (42.0 - depth, torso.breast - depth, 46.0 - depth)
            for side in (-58.0, 58.0):
                rows.append((2.0, side, 0.86 * torso.body[1], -25.0, *axes, *tissue))
        rows.append(_column((0.0, 0.0), torso.body, -depth, tissue))
    rows.append(_column((0.0, torso.muscle_y), torso.muscle, 0.0, tissues.muscle))
    for (across, along), tissue in zip(FAT_PLANE_MM, (tissues.fat, tissues.muscle), strict=True):
        axes = (torso.muscle[0] - across, torso.muscle[1] - along)
        rows.append(_column((0.0, torso.muscle_y), axes, 0.0, tissue))
    rows.append((2.5, 0.0, 0.0, 0.0, *torso.cavity, TAPER_MM, *tissues.fat))
    return rows


def heart_solids(torso: Torso, tissues: Tissues) -> list[Solid]:
    """Epicardial fat, muscle and three chambers of blood, in drawing order."""
    rows = [
        (2.0, *torso.heart, *(axis + HEART_FAT_MM for axis in torso.heart_axes), *tissues.fat),
        (2.0, *torso.heart, *torso.heart_axes, *tissues.muscle),
    ]
    for shift, smaller in HEART_CHAMBERS:
        centre = (place + move for place, move in zip(torso.heart, shift, strict=True))
        axes = (axis + smaller for axis in torso.heart_axes)
        rows.append((2.0, *centre, *axes, *tissues.blood))
    return rows


def table_solids(torso: Torso) -> list[Solid]:
    """A carbon-fibre shell filled with foam under the patient's back, as lying unmoved."""
    top = -torso.body[1] - TABLE_MM / 2
    rows: list[Solid] = []
    for depth, density in ((0.0, CARBON_DENSITY), (TABLE_SHELL_MM, FOAM_DENSITY)):
        axes = (TABLE_WIDTH_MM / 2 - depth, TABLE_MM / 2 - depth)
        rows.append(_column((0.0, top), axes, 0.0, (density, 0.0, 0.0, LABELS["outside"])))
    return rows


def _column(
    centre: tuple[float, float], axes: tuple[float, float], extra: float, tissue: Mixture
) -> Solid:
    return (2.5, *centre, 0.0, axes[0] + extra, axes[1] + extra, NO_TAPER_MM, *tissue)
