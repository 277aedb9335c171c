"""Pictures that show at a glance whether two scans lie on one another."""

import numpy as np

WINDOW_HU = (-1000.0, 400.0)
SQUARES = 8
EDGE_PERCENTILE = 92.0
EDGE_COLOUR = np.array([255, 96, 0], dtype=np.uint8)
GAP = 4


def quality_picture(
    fixed: np.ndarray, moved: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Three middle planes, checkerboard above, the fixed scan's edges on the moved one below.

    Args:
        fixed: (z, y, x) HU.
        moved: same shape, the registered scan.
        spacing: (dz, dy, dx) mm; pixels are repeated to show near-square ones.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: the shapes differ.
    """
    if fixed.shape != moved.shape:
        raise ValueError(f"scans of shapes {fixed.shape} and {moved.shape} cannot be compared")
    columns = []
    for axis in range(3):
        one, two = (_plane(volume, axis, spacing) for volume in (fixed, moved))
        board, edges = _coloured(checkerboard(one, two)), edge_overlay(one, two)
        gap = np.zeros((GAP, board.shape[1], 3), dtype=np.uint8)
        columns.append(np.concatenate([board, gap, edges]))
    return _beside(columns)


def checkerboard(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Squares of one grey picture (h, w) alternating with the other's."""
    rows = np.arange(one.shape[0])[:, None] * SQUARES // one.shape[0]
    columns = np.arange(one.shape[1])[None] * SQUARES // one.shape[1]
    return np.where((rows + columns) % 2 == 0, one, two)


def edge_overlay(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Strongest edges of `one` in colour over the grey picture `two`, (h, w, 3)."""
    strength = np.hypot(*np.gradient(one.astype(np.float32)))
    picture = _coloured(two)
    threshold = np.percentile(strength, EDGE_PERCENTILE)
    picture[strength >= max(float(threshold), 1.0)] = EDGE_COLOUR
    return picture


def _plane(volume: np.ndarray, axis: int, spacing: tuple[float, float, float]) -> np.ndarray:
    """Middle plane as grey levels as radiologists look at it: head or front up, right at left."""
    low, high = WINDOW_HU
    plane = np.take(volume, volume.shape[axis] // 2, axis=axis)[::-1]
    plane = plane if axis == 2 else plane[:, ::-1]
    grey = ((plane.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
    steps = [step for number, step in enumerate(spacing) if number != axis]
    repeats = [max(1, round(step / min(spacing))) for step in steps]
    return grey.repeat(repeats[0], axis=0).repeat(repeats[1], axis=1)


def _coloured(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _beside(pictures: list[np.ndarray]) -> np.ndarray:
    height = max(picture.shape[0] for picture in pictures)
    padded = [
        np.pad(picture, ((0, height - picture.shape[0]), (0, GAP), (0, 0))) for picture in pictures
    ]
    return np.concatenate(padded, axis=1)
