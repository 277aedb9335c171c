"""Compiled passes over a volume, line by line.

Helpers and constants stay in this file: the cache of compiled code does not notice changes in
other files. Arrays come as (outer, n, inner): the axis in the middle is the one worked along.
"""

import numba
import numpy as np

COMPILE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


def along(array: np.ndarray, axis: int) -> np.ndarray:
    """A contiguous array seen as (outer, n, inner) for one of its axes; no copy."""
    outer = int(np.prod(array.shape[:axis], dtype=np.int64))
    return array.reshape(outer, array.shape[axis], -1)


@numba.njit(**COMPILE)
def smooth(values, share):
    """Give each value `share` of either neighbour in place; the two ends stay as they are."""
    outer, count, inner = values.shape
    before = np.empty(inner, values.dtype)
    side, own = np.float32(share), np.float32(1 - 2 * share)
    for o in range(outer):
        before[:] = values[o, 0]
        for k in range(1, count - 1):
            here, after = values[o, k], values[o, k + 1]
            for i in range(inner):
                old = here[i]
                here[i] = own * old + side * (before[i] + after[i])
                before[i] = old


@numba.njit(**COMPILE)
def dilate(flags, reach):
    """Set in place what lies at most `reach` steps from a set flag."""
    outer, count, inner = flags.shape
    rows = flags.reshape(outer, count * inner)
    before = np.empty(count * inner, flags.dtype)
    for o in range(outer):
        row, done = rows[o], 0
        while done < reach:
            # three copies of what reaches `done` steps, side by side, leave no gap
            step = min(2 * done + 1, reach - done)
            shift = min(step, count) * inner
            before[:] = row
            _mark(row[shift:], before)
            _mark(row, before[shift:])
            done += step


@numba.njit(**COMPILE)
def _mark(flags, others):
    """Set the flags (n,) that are set in others (n,); the longer is cut."""
    for n in range(min(flags.size, others.size)):
        flags[n] |= others[n]


@numba.njit(**COMPILE)
def edge_strength(values, places, spacing):
    """Gradient size per mm (N,) at flat `places` of (z, y, x) values; one-sided at the borders."""
    depth, height, width = values.shape
    flat, found = values.ravel(), np.empty(places.size, np.float32)
    sizes, strides = (depth, height, width), (height * width, width, 1)
    for n in range(places.size):
        at, square = places[n], np.float32(0)
        for axis in range(3):
            index = (at // strides[axis]) % sizes[axis]
            if index > 0:
                square += ((flat[at] - flat[at - strides[axis]]) / spacing[axis]) ** 2
            if index < sizes[axis] - 1:
                square += ((flat[at + strides[axis]] - flat[at]) / spacing[axis]) ** 2
        found[n] = np.sqrt(square)
    return found
