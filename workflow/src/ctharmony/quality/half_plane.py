"""The half plane of frequencies on which the transform of a real slice lies."""

import numpy as np


def frequencies(shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Cycles/mm (rows, columns // 2 + 1) of slices of `shape` (rows, columns), (dy, dx) mm."""
    fy = np.fft.fftfreq(shape[0], spacing[0])[:, None]
    return np.hypot(fy, np.fft.rfftfreq(shape[1], spacing[1])[None])


def counts(columns: int, step: float) -> np.ndarray:
    """(1, columns // 2 + 1) how often each column stands in the whole plane: inner ones twice."""
    fx = np.fft.rfftfreq(columns, step)[None]
    return np.where((fx > 0) & (fx < 0.5 / step), 2.0, 1.0)


def radial(
    power: np.ndarray, size: tuple[int, int], spacing: tuple[float, float], step: float, rings: int
) -> np.ndarray:
    """Mean (rings,) of a half plane's power over rings `step` cycles/mm wide, the first at 0.

    Args:
        power: (rows, columns // 2 + 1); size: (rows, columns) of the whole plane; spacing: mm.
    """
    ring = np.floor(frequencies(size, spacing) / step).astype(int)
    ring = np.minimum(ring, rings).ravel()
    twice = np.broadcast_to(counts(size[1], spacing[1]), power.shape)
    sums = np.bincount(ring, (power * twice).ravel(), minlength=rings + 1)
    numbers = np.bincount(ring, twice.ravel(), minlength=rings + 1)
    with np.errstate(invalid="ignore"):
        return (sums / numbers)[:rings]
