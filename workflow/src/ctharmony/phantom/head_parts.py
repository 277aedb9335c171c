"""Signed distances to the parts of a virtual head, mm, negative inside.

Coordinates: x to the patient's right, y to anterior, z to superior, the origin between the
thalami. Distances are exact to first order near a surface, which is all that soft edges need.
"""

from typing import NamedTuple

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates

TILE_MM, TILE_SIZE = 2.0, 64

Points = tuple[np.ndarray, np.ndarray, np.ndarray]


class HeadFactors(NamedTuple):
    """Sizes of one head.

    Attributes:
        size: scale of all lengths.
        width: further scale from left to right.
        ventricles: scale of the ventricles, which grow with age.
        atrophy_mm: width of the space between brain and skull.
        scalp_mm, skull_mm: thickness.
        age: years.
    """

    size: float
    width: float
    ventricles: float
    atrophy_mm: float
    scalp_mm: float
    skull_mm: float
    age: int


def draw_head_factors(random: np.random.Generator) -> HeadFactors:
    """A head; age 20 to 90, and with it the ventricles and the space around the brain."""
    age = int(random.integers(20, 91))
    chance = random.standard_normal(5).clip(-2.0, 2.0)
    older = (age - 20) / 70
    return HeadFactors(
        size=1.0 + 0.03 * chance[0],
        width=1.0 + 0.03 * chance[1],
        ventricles=0.8 + 0.5 * older + 0.08 * chance[2],
        atrophy_mm=1.5 + 2.5 * older + 0.2 * chance[3],
        scalp_mm=5.0,
        skull_mm=6.5 + 0.6 * chance[4],
        age=age,
    )


def ellipsoid(points: Points, centre: tuple, axes: tuple) -> np.ndarray:
    """Distance to an ellipsoid with the given half axes, float32."""
    scaled = [(p - c) / a for p, c, a in zip(points, centre, axes, strict=True)]
    value = sum(q * q for q in scaled)
    slope = 2.0 * np.sqrt(sum((q / a) ** 2 for q, a in zip(scaled, axes, strict=True)))
    return ((value - 1.0) / np.maximum(slope, 1.0 / max(axes))).astype(np.float32)


def both_sides(points: Points) -> Points:
    """The same points folded onto the right half."""
    return np.abs(points[0]), points[1], points[2]


def braincase(points: Points) -> np.ndarray:
    """Inside of the skull: a large ellipsoid, flatter below, with the posterior fossa."""
    top = ellipsoid(points, (0.0, 0.0, 5.0), (66.0, 84.0, 72.0))
    floor = -points[2] - 32.0 + 0.25 * np.maximum(points[1], 0.0)
    fossa = ellipsoid(points, (0.0, -42.0, -30.0), (52.0, 40.0, 32.0))
    return np.minimum(np.maximum(top, floor), fossa).astype(np.float32)


def outline(points: Points, depth_mm: float) -> np.ndarray:
    """Head with face, jaw and neck, `depth_mm` around the braincase."""
    face = ellipsoid(points, (0.0, 46.0, -54.0), (60.0, 52.0, 68.0))
    neck = np.maximum(np.hypot(points[0] / 1.1, points[1] + 22.0) - 50.0, points[2] + 40.0)
    nose = ellipsoid(points, (0.0, 98.0, -52.0), (12.0, 14.0, 20.0))
    return np.minimum.reduce([braincase(points) - depth_mm, face, neck, nose]).astype(np.float32)


def ventricles(points: Points, scale: float) -> np.ndarray:
    """Lateral ventricles with their horns, third and fourth ventricle."""
    folded = both_sides(points)
    parts = (
        ((11.0, 6.0, 16.0), (6.0, 30.0, 7.0)),
        ((19.0, -28.0, 10.0), (7.0, 16.0, 9.0)),
        ((28.0, -8.0, -14.0), (4.0, 16.0, 4.0)),
        ((0.0, -2.0, 2.0), (2.5, 13.0, 9.0)),
        ((0.0, -38.0, -24.0), (6.0, 5.0, 9.0)),
    )
    grown = [
        ellipsoid(folded, centre, tuple(axis * scale for axis in axes)) for centre, axes in parts
    ]
    return np.minimum.reduce(grown)


def deep_grey(points: Points) -> np.ndarray:
    """Thalamus, putamen with pallidum, and the head of the caudate, of both sides."""
    folded = both_sides(points)
    parts = (
        ((10.0, -6.0, 4.0), (8.0, 14.0, 8.0)),
        ((26.0, 6.0, 0.0), (6.0, 17.0, 10.0)),
        ((14.0, 22.0, 8.0), (5.0, 9.0, 9.0)),
    )
    return np.minimum.reduce([ellipsoid(folded, *part) for part in parts])


def folds(random: np.random.Generator, length_mm: float) -> np.ndarray:
    """Periodic Gaussian field of unit variance that bends the cortex; voxel TILE_MM."""
    shape = (TILE_SIZE,) * 3
    spectrum = scipy.fft.rfftn(random.standard_normal(shape, dtype=np.float32))
    axes = [scipy.fft.fftfreq(TILE_SIZE, TILE_MM), scipy.fft.rfftfreq(TILE_SIZE, TILE_MM)]
    radius = np.sqrt(
        axes[0][:, None, None] ** 2 + axes[0][None, :, None] ** 2 + axes[1][None, None] ** 2
    )
    # a band of wavelengths, as gyri have, rather than all long ones
    spectrum *= np.exp(-0.5 * ((radius * length_mm - 1.0) / 0.25) ** 2)
    field = scipy.fft.irfftn(spectrum, s=shape)
    return (field / field.std()).astype(np.float32)


def sample(field: np.ndarray, points: Points) -> np.ndarray:
    """A periodic field at points, linear between its voxels."""
    places = np.stack([p.astype(np.float32) for p in points[::-1]]) / TILE_MM
    return map_coordinates(field, places, order=1, mode="grid-wrap")
