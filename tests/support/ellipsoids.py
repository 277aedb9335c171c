"""A chest of analytic shapes, so that any pose of it is exact and no truth is interpolated."""

from dataclasses import dataclass

import numpy as np

from ctharmony.registration.pyramid import Image

SOFTNESS_MM = 1.5
NOISE_HU = 15.0


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and half axes (x, y, z) in mm, and the HU inside."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    hu: float


def organs(seed: int) -> list[Ellipsoid]:
    """Body, lungs, heart, spine, breast bone, ribs and vessels of one patient."""
    random = np.random.default_rng(seed)
    parts = [
        Ellipsoid((0, 0, 0), (165, 110, 400), 40),
        Ellipsoid((78, 5, 0), (62, 82, 120), -850),
        Ellipsoid((-75, 5, 5), (60, 80, 118), -840),
        Ellipsoid((-18, 15, -25), (58, 48, 62), 55),
        Ellipsoid((0, -80, 0), (18, 16, 400), 180),
        Ellipsoid((0, 96, 15), (20, 6, 70), 200),
    ]
    for level in np.arange(-110, 111, 22):
        for side in (-1, 1):
            for turn in np.linspace(-1.2, 1.2, 7):
                place = (side * 148 * np.cos(turn), 97 * np.sin(turn), level + 8 * turn)
                parts.append(Ellipsoid(place, (8, 9, 5), 420))
    for _ in range(90):
        side = random.choice([-76, 76])
        place = (side, 5, 0) + random.uniform(-1, 1, 3) * (42, 58, 90)
        parts.append(Ellipsoid(tuple(place), tuple(random.uniform(3, 9, 3)), 30))
    return parts


def share_inside(part: Ellipsoid, points: np.ndarray) -> np.ndarray:
    """0 outside, 1 inside, soft over about a voxel; points (..., 3) mm."""
    scaled = np.linalg.norm((points - part.centre) / np.array(part.axes, np.float32), axis=-1)
    depth = (1 - scaled) * (min(part.axes) * 2 / SOFTNESS_MM)
    return 1 / (1 + np.exp(-np.clip(depth, -30, 30)))


def box_around(part: Ellipsoid, to_voxel: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The voxels (z, y, x) that an ellipsoid may touch on a grid."""
    reach = np.array(part.axes) + 5 * SOFTNESS_MM
    half = np.sqrt(((to_voxel[:3, :3] * reach) ** 2).sum(axis=1))[::-1]
    middle = (to_voxel[:3, :3] @ part.centre + to_voxel[:3, 3])[::-1]
    first = np.maximum(np.floor(middle - half), 0).astype(int)
    last = np.maximum(np.ceil(middle + half) + 1, 0).astype(int)
    return tuple(slice(a, min(b, n)) for a, b, n in zip(first, last, shape, strict=True))


def scan(
    parts: list[Ellipsoid],
    spacing: tuple[float, float, float] = (4.0, 3.0, 3.0),
    shape: tuple[int, int, int] = (60, 84, 116),
    pose: np.ndarray | None = None,
    seed: int = 0,
) -> Image:
    """The patient as a scanner sees it whose space is `pose` (4, 4) of the patient's space."""
    affine = np.diag([*spacing[::-1], 1.0])
    affine[:3, 3] = [-step * (size - 1) / 2 for step, size in zip(spacing, shape, strict=True)][
        ::-1
    ]
    back = np.linalg.inv(np.eye(4) if pose is None else pose) @ affine
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")[::-1], -1)
    points = (voxels @ back[:3, :3].T + back[:3, 3]).astype(np.float32)
    hu = np.full(shape, -1000.0, dtype=np.float32)
    for part in parts:
        box = box_around(part, np.linalg.inv(back), shape)
        hu[box] += share_inside(part, points[box]) * (part.hu - hu[box])
    noise = np.random.default_rng(seed).normal(0, NOISE_HU, shape)
    body = share_inside(parts[0], points) > 0.5
    return Image((hu + noise).astype(np.float32), affine, body.astype(np.uint8))
