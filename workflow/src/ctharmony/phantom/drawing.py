"""Compiled drawing of shapes into material maps and labels.

Later shapes are drawn over earlier ones. A voxel's share of a shape is its signed distance to the
surface (to first order) over the pixel, clipped to 0..1. Helpers stay in this file: the cache of
compiled code does not notice changes in others.
"""

import math

import numba
import numpy as np

GRAVITY_DENSITY = 0.025  # denser at the back than in the middle, g/cm3 over 80 mm
MIDLINE_SHIFT_MM = 29.0  # the two lungs look at different parts of the texture
COMPILE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}
DISC_MM, ENDPLATE_MM, SHELL_MM = 5.0, 1.3, 1.3


@numba.njit(**COMPILE)
def _place(grid, axis, i, j, k):
    return grid[axis, 0] * i + grid[axis, 1] * j + grid[axis, 2] * k + grid[axis, 3]


@numba.njit(**COMPILE)
def _column(x, y, a, b):
    """Signed distance to |x/a|^2.5 + |y/b|^2.5 = 1 to first order, mm, negative inside."""
    p, q = abs(x) / a, abs(y) / b
    p_cubed, q_cubed = p * math.sqrt(p), q * math.sqrt(q)
    slope = 2.5 * math.sqrt((p_cubed / a) ** 2 + (q_cubed / b) ** 2)
    return (p * p_cubed + q * q_cubed - 1.0) / max(slope, 0.5 / max(a, b))


@numba.njit(**COMPILE)
def _ellipsoid(x, y, z, a, b, c):
    """Signed distance to an ellipsoid to first order, mm, negative inside."""
    u, v, w = x / a, y / b, z / c
    slope = 2.0 * math.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2)
    return (u * u + v * v + w * w - 1.0) / max(slope, 1.0 / (a + b + c))


@numba.njit(**COMPILE)
def _cover(distance, pixel):
    return min(max(0.5 - distance / pixel, 0.0), 1.0)


@numba.njit(**COMPILE)
def _box(low, high, reach, inverse, shape, box):
    """Voxels that the segment from low to high, `reach` mm around it, can touch."""
    for axis in range(3):
        one, two = inverse[axis, 3], inverse[axis, 3]
        length = 0.0
        for d in range(3):
            one += inverse[axis, d] * low[d]
            two += inverse[axis, d] * high[d]
            length += inverse[axis, d] ** 2
        margin = reach * math.sqrt(length)
        box[axis, 0] = max(0, math.ceil(min(one, two) - margin))
        box[axis, 1] = min(shape[2 - axis], math.floor(max(one, two) + margin) + 1)


@numba.njit(**COMPILE)
def draw_solids(solids, grid, inverse, pixel, maps, labels):
    """Draw ellipsoids and tapered columns into `maps` and `labels`, a later row over an earlier.

    solids: (n, 11), rows of `Anatomy.solids`: kind, centre and half-axes in mm, mixture, label.
    grid, inverse: voxel to body coordinates in mm, and back. pixel: width of a soft edge, mm.
    maps: (materials, planes, rows, columns); labels: (planes, rows, columns); both are changed.
    """
    box = np.empty((3, 2), np.int64)
    for s in range(solids.shape[0]):
        row = solids[s]
        low, high = row[1:4].copy(), row[1:4].copy()
        reach = max(row[4], row[5]) + 2.0
        if row[0] == 2.0:
            reach = max(reach, row[6] + 2.0)
        else:
            low[2], high[2] = low[2] - 1e4, high[2] + 1e4
        _box(low, high, reach, inverse, labels.shape, box)
        for k in range(box[2, 0], box[2, 1]):
            for j in range(box[1, 0], box[1, 1]):
                i = box[0, 0]
                while i < box[0, 1]:
                    cover, run = _probe(row, grid, (i, j, k), pixel)
                    run = min(run, box[0, 1] - i)
                    if cover == 1.0:
                        run = _stretch(row, grid, (i, j, k), pixel, box[0, 1] - i)
                    if cover > 0:
                        _paint(row[7:11], cover, (i, j, k, run), maps, labels)
                    i += run


@numba.njit(**COMPILE)
def _stretch(row, grid, voxel, pixel, most):
    """How many voxels along the row, from one wholly inside a convex solid, are so, up to most."""
    inside, outside = 0, most
    while outside - inside > 1:
        middle = (inside + outside) // 2
        whole = _probe(row, grid, (voxel[0] + middle, voxel[1], voxel[2]), pixel)[0] == 1.0
        inside, outside = (middle, outside) if whole else (inside, middle)
    return inside + 1


@numba.njit(**COMPILE)
def _probe(row, grid, voxel, pixel):
    """Share of a solid in a voxel, and for how many voxels along the row it surely stays away."""
    x = _place(grid, 0, *voxel) - row[1]
    y = _place(grid, 1, *voxel) - row[2]
    z = _place(grid, 2, *voxel) - row[3]
    if row[0] == 2.0:
        distance = _ellipsoid(x, y, z, row[4], row[5], row[6])
    else:
        taper = 1.0 - (max(z, 0.0) / row[6]) ** 3
        distance = _column(x, y, row[4] * taper, row[5] * taper)
    # F is convex, so the first-order distance is never too large outside
    if distance > pixel:
        return 0.0, max(int(distance / pixel) - 1, 1)
    return _cover(distance, pixel), 1


@numba.njit(**COMPILE)
def _paint(mixture, cover, voxels, maps, labels):
    first, j, k, run = voxels
    if cover == 1.0:
        for m in range(maps.shape[0]):
            maps[m, k, j, first : first + run] = mixture[m]
        labels[k, j, first : first + run] = mixture[3]
        return
    for m in range(maps.shape[0]):
        for i in range(first, first + run):
            maps[m, k, j, i] += cover * (mixture[m] - maps[m, k, j, i])
    if cover > 0.5:
        labels[k, j, first : first + run] = mixture[3]


@numba.njit(**COMPILE)
def draw_lung(lung, tiles, grid, pixel, maps, labels):
    """Fill the lungs with parenchyma, its texture and emphysematous holes.

    lung: shape and density of the lungs. tiles: (texture, holes), repeated through space.
    grid, pixel, maps, labels: as in `draw_solids`.
    """
    texture, holes = tiles
    planes, rows, columns = labels.shape
    for k in range(planes):
        for j in range(rows):
            i = 0
            while i < columns:
                point = _place(grid, 0, i, j, k), _place(grid, 1, i, j, k), _place(grid, 2, i, j, k)
                distance = _lung_distance(point, lung)
                if distance > pixel:
                    i += max(int(0.5 * distance / pixel), 1)
                    continue
                cover = _cover(distance, pixel)
                if cover > 0:
                    density, label = _parenchyma(point, lung, texture, holes)
                    maps[0, k, j, i] += cover * (density - maps[0, k, j, i])
                    for m in range(1, maps.shape[0]):
                        maps[m, k, j, i] *= 1.0 - cover
                    if cover > 0.5:
                        labels[k, j, i] = label
                i += 1


@numba.njit(**COMPILE)
def _lung_distance(point, lung):
    x, y, z = point
    taper = 1.0 - (max(z, 0.0) / lung.taper) ** 3
    distance = _column(x, y, lung.cavity_x * taper, lung.cavity_y * taper)
    if abs(x) < lung.gap + lung.bulge + 2.0:
        bulge = lung.bulge * math.exp(-(((y - lung.bulge_y) / lung.bulge_mm) ** 2))
        distance = max(distance, lung.gap + bulge - abs(x))
    return distance


@numba.njit(**COMPILE)
def _parenchyma(point, lung, texture, holes):
    x, y, z = point
    side = MIDLINE_SHIFT_MM if x > 0 else 0.0
    u = int((x + lung.shift_x + side) / lung.tile_mm) % texture.shape[2]
    v = int((y + lung.shift_y) / lung.tile_mm) % texture.shape[1]
    w = int((z + lung.shift_z) / lung.tile_mm) % texture.shape[0]
    if holes[w, v, u] < lung.hole_fraction:
        return lung.hole_density, lung.hole_label
    density = lung.density - GRAVITY_DENSITY * y / 80.0 + lung.texture * texture[w, v, u]
    return density, lung.label


@numba.njit(**COMPILE)
def draw_spine(spine, grid, inverse, pixel, maps, labels):
    """Bodies of vertebrae with cortical shell, endplates, trabecular inside and discs between.

    `spine` is (4, 4): y, half axes and height; then mixture and label of disc, shell and inside.
    """
    box = np.empty((3, 2), np.int64)
    low, high = np.array([0.0, spine[0, 0], -1e4]), np.array([0.0, spine[0, 0], 1e4])
    _box(low, high, spine[0, 1] + 2.0, inverse, labels.shape, box)
    height = spine[0, 3]
    for k in range(box[2, 0], box[2, 1]):
        for j in range(box[1, 0], box[1, 1]):
            for i in range(box[0, 0], box[0, 1]):
                x, y = _place(grid, 0, i, j, k), _place(grid, 1, i, j, k) - spine[0, 0]
                distance = _ellipsoid(x, y, 0.0, spine[0, 1], spine[0, 2], 1e6)
                cover = _cover(distance, pixel)
                if cover <= 0:
                    continue
                z = _place(grid, 2, i, j, k) + 100.0 * height
                edge = (height - DISC_MM) / 2 - abs(z % height - height / 2)
                part = 1 if edge < 0 else (2 if edge < ENDPLATE_MM or -distance < SHELL_MM else 3)
                for m in range(maps.shape[0]):
                    maps[m, k, j, i] += cover * (spine[part, m] - maps[m, k, j, i])
                if cover > 0.5:
                    labels[k, j, i] = spine[part, 3]


@numba.njit(**COMPILE)
def draw_capsules(capsules, grid, inverse, pixel, maps, labels):
    """Draw tapered round rods (vessels, airways, ribs' pieces), a later one over an earlier.

    capsules: (n, 12), rows of `Anatomy.capsules`: two ends and two radii in mm, mixture, label.
    grid, inverse, pixel, maps, labels: as in `draw_solids`.
    """
    box = np.empty((3, 2), np.int64)
    for c in range(capsules.shape[0]):
        row = capsules[c]
        _box(row[:3], row[3:6], max(row[6], row[7]) + 1.0, inverse, labels.shape, box)
        _draw_capsule(row, grid, pixel, box, maps, labels)


@numba.njit(**COMPILE)
def _draw_capsule(row, grid, pixel, box, maps, labels):
    dx, dy, dz = row[3] - row[0], row[4] - row[1], row[5] - row[2]
    square = max(dx * dx + dy * dy + dz * dz, 1e-9)
    for k in range(box[2, 0], box[2, 1]):
        for j in range(box[1, 0], box[1, 1]):
            for i in range(box[0, 0], box[0, 1]):
                x = _place(grid, 0, i, j, k) - row[0]
                y = _place(grid, 1, i, j, k) - row[1]
                z = _place(grid, 2, i, j, k) - row[2]
                t = min(max((x * dx + y * dy + z * dz) / square, 0.0), 1.0)
                x, y, z = x - t * dx, y - t * dy, z - t * dz
                radius = row[6] + t * (row[7] - row[6])
                cover = _cover(math.sqrt(x * x + y * y + z * z) - radius, pixel)
                if radius < 0.5 * pixel:  # thinner than a pixel: keep its cross-section's area
                    cover *= (2.0 * radius / pixel) ** 2
                if cover > 0:
                    for m in range(maps.shape[0]):
                        maps[m, k, j, i] += cover * (row[8 + m] - maps[m, k, j, i])
                    if cover > 0.5:
                        labels[k, j, i] = row[11]
