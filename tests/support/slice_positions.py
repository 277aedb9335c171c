"""Where the slices of a made-up DICOM series lie."""

import numpy as np

FIRST = np.array([-40.0, -50.0, 100.0])


def stack_at(depths):
    """Positions (LPS, mm) of slices at the given depths above the first."""
    depths = np.asarray(depths, dtype=float)[:, None]
    return FIRST + depths * np.array([0, 0, 1.0])
