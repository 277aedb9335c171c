"""Volume of lung nodules as an image shows it, where the true nodules are known.

A reader outlines a nodule half way between its own HU and those of the lung around it; the same
threshold, counted in and around the true nodules, gives a volume that depends on the scanner's
kernel, noise and slice thickness as the reader's does.
"""

import numpy as np
from scipy.ndimage import binary_dilation

NODULE = 8  # of the virtual patients' tissues
AROUND = (0, 3, 4, NODULE)  # outside, lung and holes: vessels and walls would count as nodule
HALF_WAY_HU = -400.0
REACH_MM = 3.0


def nodule_reach(tissues: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Voxels in which nodules are sought: true ones, and lung within REACH_MM or a slice of them.

    Args:
        tissues: (slices, rows, columns) true tissues (`phantom.tissues.LABELS`).
        spacing: (dz, dy, dx) mm.

    Returns:
        bool, same shape; all false without nodules.
    """
    nodules = tissues == NODULE
    if not nodules.any():
        return nodules
    near = nodules
    for axis, step in enumerate(spacing):
        line = np.zeros((3, 3, 3), dtype=bool)
        line[tuple(slice(None) if other == axis else 1 for other in range(3))] = True
        times = max(1, round(REACH_MM / step))
        near = binary_dilation(near, line, iterations=times)
    return near & np.isin(tissues, AROUND)


def nodule_volume(
    image: np.ndarray, reach: np.ndarray, spacing: tuple[float, float, float]
) -> float:
    """Volume (mm3) denser than HALF_WAY_HU within `reach` (bool); NaN where that is empty.

    Args:
        image: (slices, rows, columns) HU; reach: of `nodule_reach`; spacing: (dz, dy, dx) mm.
    """
    if not reach.any():
        return float("nan")
    return float(np.prod(spacing)) * int(np.count_nonzero(image[reach] > HALF_WAY_HU))
