"""Slices seen in blocks, and what was found there back on the slice."""

from functools import cache

import numpy as np


def in_blocks(plane: np.ndarray, side: int) -> np.ndarray:
    """(blocks down, blocks across, side * side) values; the slice is mirrored beyond its ends."""
    rows, columns = (-(-n // side) * side for n in plane.shape)
    padding = ((0, rows - plane.shape[0]), (0, columns - plane.shape[1]))
    whole = np.pad(plane, padding, mode="reflect")
    blocks = whole.reshape(rows // side, side, columns // side, side).swapaxes(1, 2)
    return blocks.reshape(*blocks.shape[:2], -1)


def spread_out(values: np.ndarray, shape: tuple[int, int], side: int) -> np.ndarray:
    """Values of blocks (down, across) on a slice of `shape`, linear between their centres."""
    rows, columns = (_between(*sizes, side) for sizes in zip(shape, values.shape, strict=True))
    return rows @ values.astype(np.float32) @ columns.T


@cache
def _between(voxels: int, blocks: int, side: int) -> np.ndarray:
    """Weights (voxels, blocks) of linear interpolation between the centres of blocks."""
    place = np.clip((np.arange(voxels) + 0.5) / side - 0.5, 0, blocks - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(blocks))).astype(np.float32)
