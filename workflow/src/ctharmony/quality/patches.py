"""Square patches of slices: where they lie, cutting them out, taking their trend off."""

import numpy as np

TREND_TERMS = 6  # of a second-order surface


def detrended(patches: np.ndarray) -> np.ndarray:
    """Patches (n, rows, columns) less their least-squares second-order surface, float32."""
    rows, columns = patches.shape[1:]
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).reshape(-1, TREND_TERMS)
    basis = np.linalg.qr(terms)[0].astype(np.float32)
    flat = patches.reshape(len(patches), rows * columns)
    return (flat - (flat @ basis) @ basis.T).reshape(patches.shape)


def thinned(indices: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of the indices, evenly spread, the order kept."""
    if len(indices) <= limit:
        return indices
    return indices[np.linspace(0, len(indices) - 1, limit).round().astype(int)]


def sides_px(
    target_mm: float, spacing: tuple[float, float, float], least: int = 4
) -> tuple[int, int]:
    """(rows, columns) in pixels of a square of `target_mm`, at least `least`."""
    return max(least, round(target_mm / spacing[1])), max(least, round(target_mm / spacing[2]))


def tiles(array: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """(n, rows * columns) values of adjoining blocks of (n, rows, columns); rests are left out."""
    slices, rows, columns = array.shape[0], array.shape[1] // sides[0], array.shape[2] // sides[1]
    whole = array[:, : rows * sides[0], : columns * sides[1]]
    blocks = whole.reshape(slices, rows, sides[0], columns, sides[1]).swapaxes(2, 3)
    return blocks.reshape(-1, sides[0] * sides[1])


def corners_inside(body: np.ndarray, sides: tuple[int, int], share: float) -> np.ndarray:
    """Corners of half-overlapping patches that hold enough of a mask.

    Args:
        body: (slices, rows, columns) bool.
        sides: rows and columns of a patch.
        share: least share of the patch inside the mask.

    Returns:
        (n, 3) int: slice, first row, first column.
    """
    if body.shape[1] < sides[0] or body.shape[2] < sides[1]:
        return np.zeros((0, 3), dtype=int)
    y = np.arange(0, body.shape[1] - sides[0] + 1, max(1, sides[0] // 2))
    x = np.arange(0, body.shape[2] - sides[1] + 1, max(1, sides[1] // 2))
    down, across = _windows(y, sides[0], body.shape[1]), _windows(x, sides[1], body.shape[2]).T
    # counts as a product of matrices, exact in float32 below 2^24 pixels
    inside = np.stack([down @ part.astype(np.float32) @ across for part in body]).astype(int)
    found = np.argwhere(inside >= share * sides[0] * sides[1])
    return np.stack([found[:, 0], y[found[:, 1]], x[found[:, 2]]], axis=1)


def cut(hu: np.ndarray, corners: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """(n, rows, columns) float32 patches at the given (n, 3) corners."""
    patches = np.empty((len(corners), *sides), dtype=np.float32)
    for index, (z, y, x) in enumerate(corners):
        patches[index] = hu[z, y : y + sides[0], x : x + sides[1]]
    return patches


def _windows(starts: np.ndarray, side: int, length: int) -> np.ndarray:
    """(windows, length) float32, 1 where a position lies in a window."""
    place = np.arange(length)
    return ((place >= starts[:, None]) & (place < starts[:, None] + side)).astype(np.float32)
