"""Whether the patient's table is in the picture."""

import numpy as np

from ctharmony.quality.masks import BODY, OUTSIDE


def table_present(
    hu: np.ndarray, labels: np.ndarray, column_mm: float, settings: tuple[float, float]
) -> bool:
    """Whether something wide and dense lies under the body in at least half of the slices.

    Args:
        hu: (slices, rows, columns) block means, HU; rows grow to anterior.
        labels: same shape: 0 outside, 1 body, 2 lung, other values where a block is mixed.
        column_mm: width of a column.
        settings: least HU of a table (thin shells are averaged with air), least width in mm.
    """
    lightest, narrowest_mm = settings
    within = (labels >= BODY) & (labels < 255)
    # arms beside the trunk have no body in front of them, a table has
    covered = np.maximum.accumulate(within[:, ::-1], axis=1)[:, ::-1]
    under = (labels == OUTSIDE) & covered & (hu > lightest)
    widths = under.any(axis=1).sum(axis=1) * column_mm
    return bool((widths >= narrowest_mm).mean() >= 0.5)
