"""Compiled means of planes; like `drawing`, a file of its own for the cache of compiled code."""

import numba

COMPILE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


@numba.njit(**COMPILE)
def average(maps, weights, out):
    """Add to `out` (materials, slices, rows, columns) the planes of `maps` by slice sensitivity.

    maps: (materials, planes, rows, columns), share of each material in a voxel, 0 to 1.
    weights: (slices, planes), sensitivity of each slice to each plane; each row sums to 1.
    """
    for m in range(maps.shape[0]):
        for s in range(weights.shape[0]):
            for k in range(weights.shape[1]):
                weight = weights[s, k]
                if weight == 0:
                    continue
                for j in range(maps.shape[2]):
                    for i in range(maps.shape[3]):
                        out[m, s, j, i] += weight * maps[m, k, j, i]
