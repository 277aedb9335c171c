"""Puts a patient on a grid: material maps with soft edges and a label map."""

import numpy as np

from ctharmony.phantom import averaging, drawing
from ctharmony.phantom.anatomy import Anatomy


def render_maps(
    anatomy: Anatomy,
    grid: np.ndarray,
    shape: tuple[int, int, int],
    materials: int,
    table_grid: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Material maps of a patient.

    Args:
        anatomy: the patient.
        grid: (3, 4) voxel (column, row, plane) to patient coordinates, mm.
        shape: (planes, rows, columns).
        materials: 2 for water and bone, 3 with iodine.
        table_grid: (3, 4) voxel to scanner coordinates, mm, to have the table in view.

    Returns:
        (materials, planes, rows, columns) float32 in g/cm3, and (planes, rows, columns) uint8
        labels as of `tissues.LABELS`.
    """
    maps = np.zeros((materials, *shape), np.float32)
    labels = np.zeros(shape, np.uint8)
    grid, inverse = _both_ways(grid)
    pixel = float(np.linalg.norm(grid[:, 0]))
    if table_grid is not None:
        drawing.draw_solids(anatomy.table, *_both_ways(table_grid), pixel, maps, labels)
    solids, first_inner = anatomy.solids, anatomy.lung_after
    drawing.draw_solids(solids[:first_inner], grid, inverse, pixel, maps, labels)
    tiles = (anatomy.texture, anatomy.holes)
    drawing.draw_lung(anatomy.lung, tiles, grid, pixel, maps, labels)
    drawing.draw_capsules(anatomy.trees, grid, inverse, pixel, maps, labels)
    drawing.draw_solids(solids[first_inner:], grid, inverse, pixel, maps, labels)
    drawing.draw_spine(anatomy.spine, grid, inverse, pixel, maps, labels)
    drawing.draw_capsules(anatomy.capsules, grid, inverse, pixel, maps, labels)
    return maps, labels


def _both_ways(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(np.vstack([grid, [0, 0, 0, 1]]))[:3]
    return np.ascontiguousarray(grid, np.float64), np.ascontiguousarray(inverse)


def average_planes(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means of planes: maps (m, planes, r, c) and weights (slices, planes) to (m, slices,
    r, c) float32."""
    out = np.zeros((maps.shape[0], weights.shape[0], *maps.shape[2:]), np.float32)
    averaging.average(maps, weights.astype(np.float32), out)
    return out
