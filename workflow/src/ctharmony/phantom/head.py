"""A virtual head for registration of CT to MR: one anatomy, as HU and as a T1-weighted image.

Both renderings come from the same labels with the same soft edges, so the true map between them is
the one the caller chose. The water and bone maps may also pass through the virtual scanner
(`reconstruction.project_materials`); `hu` is what a perfect scanner at 120 kVp would show.

    head = make_head(seed=1, subject="head-01")
    fixed = render_head(head, affine, shape)          # CT: fixed.hu
    moving = render_head(head, pose @ affine, shape)  # MR: moving.t1, seen from another pose

T1 values are relative to white matter and follow the order of tissues in T1-weighted gradient
echoes at 1.5 T (Bottomley et al., Med Phys 1984;11:425): fat, white, grey, muscle, fluid, bone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ctharmony.phantom.acquisition import water_equivalent
from ctharmony.phantom.head_parts import (
    HeadFactors,
    Points,
    both_sides,
    braincase,
    deep_grey,
    draw_head_factors,
    ellipsoid,
    folds,
    outline,
    sample,
    ventricles,
)
from ctharmony.phantom.streams import stream

Part = tuple[str, np.ndarray]
GYRUS_MM, SULCUS_MM, CORTEX_MM = 22.0, 5.0, 3.2
FOLIA_MM = 8.0
# name -> (label, g/cm3 of water, g/cm3 of bone, T1-weighted signal)
TISSUES = {
    "air": (0, 0.0, 0.0, 0.02),
    "scalp": (1, 0.93, 0.0, 1.25),
    "muscle": (2, 1.05, 0.0, 0.55),
    "skull": (3, 0.40, 1.20, 0.08),
    "diploe": (4, 0.85, 0.35, 0.70),
    "csf": (5, 1.01, 0.0, 0.22),
    "grey": (6, 1.038, 0.0, 0.72),
    "white": (7, 1.028, 0.0, 1.00),
    "sinus": (8, 0.0, 0.0, 0.02),
    "eye": (9, 1.012, 0.0, 0.25),
    "lens": (10, 1.08, 0.0, 0.50),
}
REFERENCE_KVP, REFERENCE_FILTER = 120, {"aluminium": 6.0}


@dataclass(frozen=True)
class Head:
    """A head ready to be put on a grid.

    Attributes:
        factors: its sizes.
        gyri, folia: fields that fold cerebrum and cerebellum.
    """

    factors: HeadFactors
    gyri: np.ndarray
    folia: np.ndarray


@dataclass(frozen=True)
class HeadImages:
    """A head on a grid, arrays of (slices, rows, columns).

    Attributes:
        labels: uint8, of the tissue that holds most of a voxel (TISSUES).
        water, bone: float32, g/cm3.
        hu: float32, HU without noise.
        t1: float32, T1-weighted signal without noise; white matter is 1.
    """

    labels: np.ndarray
    water: np.ndarray
    bone: np.ndarray
    hu: np.ndarray
    t1: np.ndarray


def make_head(seed: int, subject: str) -> Head:
    """The head of a subject; equal arguments give equal heads."""
    random = stream(seed, "head", subject)
    return Head(draw_head_factors(random), folds(random, GYRUS_MM), folds(random, FOLIA_MM))


def render_head(head: Head, affine: np.ndarray, shape: tuple[int, int, int]) -> HeadImages:
    """Put a head on a grid.

    Args:
        head: the head.
        affine: (4, 4) voxel (column, row, slice) to the head's RAS coordinates, mm; pass
            `pose @ affine` to see the head from another pose.
        shape: (slices, rows, columns).
    """
    slices, rows, columns = (np.arange(size, dtype=np.float32) for size in shape)
    grid = (columns[None, None], rows[None, :, None], slices[:, None, None])
    scale = head.factors.size * np.array([head.factors.width, 1.0, 1.0])
    points = tuple(
        np.float32(sum(affine[axis, k] * grid[k] for k in range(3)) + affine[axis, 3])
        / np.float32(scale[axis])
        for axis in range(3)
    )
    voxel_mm = float(np.linalg.norm(affine[:3, :3], axis=0).mean()) / head.factors.size
    values = np.zeros((3, *shape), np.float32)
    values[2] = TISSUES["air"][3]
    labels = np.zeros(shape, np.uint8)
    for tissue, distance in _parts(head, points):
        cover = np.clip(0.5 - distance / voxel_mm, 0.0, 1.0)
        for channel, value in zip(values, TISSUES[tissue][1:], strict=True):
            channel += cover * (value - channel)
        labels[cover > 0.5] = TISSUES[tissue][0]
    water, bone, t1 = values
    equivalent = water_equivalent(water, bone, REFERENCE_KVP, REFERENCE_FILTER)
    return HeadImages(labels, water, bone, 1000.0 * (equivalent - 1.0), t1)


def _parts(head: Head, points: Points) -> Iterator[Part]:
    """(tissue, distance) of every part, in drawing order, a later one over an earlier."""
    factors, case = head.factors, braincase(points)
    bone = factors.skull_mm
    yield "scalp", outline(points, bone + factors.scalp_mm)
    yield "muscle", outline(points, bone + factors.scalp_mm) + factors.scalp_mm
    yield from _skull(points, case, bone)
    yield "csf", case
    yield from _brain(head, points, case)


def _skull(points: Points, case: np.ndarray, bone: float) -> Iterator[Part]:
    """Vault with its diploe, facial bones, jaw, sinuses and eyes."""
    folded = both_sides(points)
    yield "skull", case - bone
    yield "diploe", np.maximum(np.abs(case - 0.5 * bone) - 0.17 * bone, 15.0 - points[2])
    yield "skull", ellipsoid(folded, (0.0, 62.0, -52.0), (38.0, 22.0, 30.0))
    jaw = ellipsoid(folded, (0.0, 40.0, -96.0), (46.0, 48.0, 12.0))
    yield "skull", np.maximum(np.abs(jaw + 5.0) - 5.0, 12.0 - points[1])
    for centre, axes in (
        ((24.0, 62.0, -56.0), (13.0, 15.0, 17.0)),  # maxillary
        ((8.0, 68.0, -42.0), (6.0, 20.0, 18.0)),  # nasal cavity and ethmoid cells
        ((8.0, 88.0, -12.0), (9.0, 4.0, 8.0)),  # frontal
        ((7.0, 26.0, -38.0), (7.0, 9.0, 6.0)),  # sphenoidal
        ((58.0, -26.0, -36.0), (6.0, 8.0, 10.0)),  # mastoid
    ):
        yield "sinus", ellipsoid(folded, centre, axes)
    yield "sinus", np.maximum(np.hypot(points[0], points[1] - 18.0) - 9.0, points[2] + 52.0)
    yield "scalp", ellipsoid(folded, (31.0, 66.0, -28.0), (17.0, 22.0, 16.0))
    yield "eye", ellipsoid(folded, (31.0, 72.0, -28.0), (12.0, 12.0, 12.0))
    yield "lens", ellipsoid(folded, (31.0, 81.0, -28.0), (4.5, 2.0, 4.5))


def _brain(head: Head, points: Points, case: np.ndarray) -> Iterator[Part]:
    """Folded cerebrum, cerebellum, brain stem, ventricles and deep grey matter."""
    factors = head.factors
    # the cerebrum lies above its tent, which climbs towards the back
    tent = -points[2] - 30.0 + 0.45 * np.maximum(-15.0 - points[1], 0.0)
    fold = SULCUS_MM * np.maximum(sample(head.gyri, points), -0.6)
    surface = np.maximum(case + factors.atrophy_mm + fold, 1.2 - np.abs(points[0]))
    surface = np.maximum(surface, tent)
    yield "grey", surface
    # white matter keeps below the cortex and reaches into the gyri
    yield "white", np.maximum(case + factors.atrophy_mm + 0.55 * fold + 2.2 * CORTEX_MM, tent + 3.0)
    cerebellum = ellipsoid(points, (0.0, -46.0, -36.0), (46.0, 30.0, 21.0))
    leaves = 1.6 * sample(head.folia, points)
    yield "grey", np.maximum(cerebellum + np.maximum(leaves, -1.0), case + 1.5)
    yield "white", np.maximum(cerebellum + 9.0 + 2.0 * leaves, case + 1.5)
    stem = np.hypot(points[0] / 1.15, points[1] + 18.0 - 0.15 * points[2]) - 11.0
    yield "white", np.maximum(stem, points[2] + 4.0)
    yield "grey", deep_grey(points)
    yield "csf", ventricles(points, factors.ventricles)


def magnetic_image(
    t1: np.ndarray, noise: float, shading: float, random: np.random.Generator
) -> np.ndarray:
    """A T1 rendering as a scanner delivers it: smooth shading and Rician noise.

    Args:
        t1: (slices, rows, columns) noise-free signal, white matter 1.
        noise: standard deviation of each of the two channels, in units of white matter
            (Gudbjartsson and Patz, Magn Reson Med 1995;34:910).
        shading: largest relative change of sensitivity over the image.
        random: stream of both.

    Returns:
        Same shape, float32, not negative.
    """
    coarse = random.standard_normal((5, 5, 5))
    field = gaussian_filter(coarse, 1.0, mode="nearest")
    field /= np.abs(field).max()
    places = [np.linspace(0.0, 4.0, size) for size in t1.shape]
    grid = np.stack(np.meshgrid(*places, indexing="ij"))
    shaded = t1 * (1.0 + shading * map_coordinates(field, grid, order=3, mode="nearest"))
    real = shaded + noise * random.standard_normal(t1.shape)
    return np.hypot(real, noise * random.standard_normal(t1.shape)).astype(np.float32)
