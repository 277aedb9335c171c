"""The sums over samples on the processor, one pass each; `objective` does the same on tensors.

Helpers and constants stay in this file: the cache of compiled code does not notice changes in
other files. What the sums mean is said in `information.parzen` and `sampling.interpolate`.
"""

import numba
import numpy as np

COMPILE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


@numba.njit(**COMPILE)
def sample(scan, points, maps, moments, found):
    """Interpolate N points under B maps and sort them into histogram cells.

    Args:
        scan: flat (z * y * x,) float32 intensities, 0 .. bins-1; shape (z, y, x); field (3, 2), the
            first and last voxel coordinate (x, y, z) that was seen.
        points: unit positions (4, N) float32 and their bins (N,) int64.
        maps: (B, 3, 4) float32, unit positions to voxels.
        moments: (B, 4, bins, bins) float64, zeros; filled with sums of fraction^m.
        found: cell (B, N) int32, fraction (B, N), derivatives per voxel (B, 3, N), or (B, 3, 0)
            where they are not wanted, and inside (B, N); float32, filled.
    """
    (flat, shape, field), (unit, fixed_bin), (cell, fraction, steps, inside) = scan, points, found
    depth, height, width = shape
    plane, bins = height * width, moments.shape[2]
    wanted = steps.shape[2] > 0
    for b in range(maps.shape[0]):
        row = maps[b]
        for n in range(unit.shape[1]):
            u, v, w = unit[0, n], unit[1, n], unit[2, n]
            px = row[0, 0] * u + row[0, 1] * v + row[0, 2] * w + row[0, 3]
            py = row[1, 0] * u + row[1, 1] * v + row[1, 2] * w + row[1, 3]
            pz = row[2, 0] * u + row[2, 1] * v + row[2, 2] * w + row[2, 3]
            x, y, z = _held(px, width), _held(py, height), _held(pz, depth)
            i, j, k = min(int(x), width - 2), min(int(y), height - 2), min(int(z), depth - 2)
            x, y, z = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            at = k * plane + j * width + i
            value, by_x, by_y, by_z = _blend(flat, at, width, plane, (x, y, z))
            seen = _between(px, field[0]) and _between(py, field[1]) and _between(pz, field[2])
            whole = int(value)
            part = value - np.float32(whole)
            inside[b, n] = seen
            fraction[b, n] = part
            cell[b, n] = fixed_bin[n] * bins + whole
            if wanted:
                steps[b, 0, n] = by_x if 0 < px < width - 1 else np.float32(0)
                steps[b, 1, n] = by_y if 0 < py < height - 1 else np.float32(0)
                steps[b, 2, n] = by_z if 0 < pz < depth - 1 else np.float32(0)
            if seen:
                _count(moments[b], fixed_bin[n], whole, part)


@numba.njit(**COMPILE)
def pull_sums(tables, found, unit, sums):
    """Sum over the samples of slope * step * unit position.

    Args:
        tables: (B, bins * bins, 3) float32 coefficients of each cell's slope in `fraction`.
        found: as filled by `sample`.
        unit: (4, N) float32.
        sums: (B, 3, 4) float64; filled.
    """
    cell, fraction, steps, inside = found
    for b in range(cell.shape[0]):
        table, total = tables[b], np.zeros((3, 4))
        for n in range(unit.shape[1]):
            if inside[b, n] > 0:
                known, f = table[cell[b, n]], fraction[b, n]
                slope = known[0] + f * (known[1] + f * known[2])
                u, v, w = unit[0, n], unit[1, n], unit[2, n]
                for axis in range(3):
                    step = slope * steps[b, axis, n]
                    total[axis, 0] += step * u
                    total[axis, 1] += step * v
                    total[axis, 2] += step * w
                    total[axis, 3] += step
        sums[b] = total


@numba.njit(**COMPILE)
def _held(place, size):
    """The place, or the nearest of the grid."""
    return min(max(place, np.float32(0)), np.float32(size - 1))


@numba.njit(**COMPILE)
def _between(place, ends):
    return ends[0] <= place <= ends[1]


@numba.njit(**COMPILE)
def _count(moments, row, column, part):
    """Add one sample's powers to its cell."""
    moments[0, row, column] += 1
    moments[1, row, column] += part
    moments[2, row, column] += part * part
    moments[3, row, column] += part * part * part


@numba.njit(**COMPILE)
def _blend(flat, at, width, plane, part):
    """Trilinear value and its derivatives."""
    x, y, z = part
    a, b = flat[at], flat[at + width]
    c, d = flat[at + plane], flat[at + plane + width]
    step_a, step_b = flat[at + 1] - a, flat[at + width + 1] - b
    step_c, step_d = flat[at + plane + 1] - c, flat[at + plane + width + 1] - d
    a, b, c, d = a + x * step_a, b + x * step_b, c + x * step_c, d + x * step_d
    near, far = b - a, d - c
    front, back = a + y * near, c + y * far
    step_near = step_a + y * (step_b - step_a)
    step_far = step_c + y * (step_d - step_c)
    by_x = step_near + z * (step_far - step_near)
    return front + z * (back - front), by_x, near + z * (far - near), back - front
