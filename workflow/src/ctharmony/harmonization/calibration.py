"""HU calibration: a monotone curve through tissues that every chest shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ctharmony.harmonization.operators import ScannerOperator

# lung is no anchor: its mode follows breath and disease, not the scanner
MATERIALS = ("air", "fat", "soft_tissue")
LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
STEP_HU = 1.0


@dataclass(frozen=True)
class HuCurve:
    """Piecewise linear map of HU; constant offset beyond the first and last anchor.

    Attributes:
        source, target: (anchors,) HU, both strictly increasing; empty for the identity.
    """

    source: tuple[float, ...]
    target: tuple[float, ...]

    def __call__(self, hu: np.ndarray) -> np.ndarray:
        """Map an array of HU of any shape, float32."""
        if not self.source or self.source == self.target:
            return np.asarray(hu, dtype=np.float32)
        offsets = np.subtract(self.target, self.source)
        # a table lookup is several times faster than interpolating every voxel
        grid = np.arange(LOWEST_HU, HIGHEST_HU + STEP_HU, STEP_HU)
        table = np.interp(grid, self.source, offsets).astype(np.float32)
        index = np.clip(np.rint((hu - LOWEST_HU) / STEP_HU), 0, len(grid) - 1).astype(np.int32)
        return np.asarray(hu + table[index], dtype=np.float32)


def hu_curve(
    source: ScannerOperator, target: ScannerOperator, anchor_sd: float, calibration_sd: float
) -> HuCurve:
    """Curve that takes the source's tissue modes to the target's.

    A difference d between anchors that err by `anchor_sd` per scan is drawn toward 0 by
    s^2 / (s^2 + e^2), with s = `calibration_sd` and e^2 = anchor_sd^2 (1/n_source + 1/n_target):
    the posterior mean of a Gaussian offset. So a site of one scan is hardly recalibrated by chance.

    Args:
        source, target: operators with `hu_anchors`.
        anchor_sd: SD of one scan's tissue mode around its scanner's, HU (patients differ).
        calibration_sd: SD of calibration between scanners, HU; 0 switches the curve off.
    """
    error = anchor_sd**2 * (1 / max(source.n_scans, 1) + 1 / max(target.n_scans, 1))
    share = calibration_sd**2 / (calibration_sd**2 + error) if calibration_sd > 0 else 0.0
    pairs = _anchor_pairs(source.hu_anchors, target.hu_anchors)
    kept = [(at, at + share * (to - at)) for at, to in pairs]
    increasing = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(kept))
    if not kept or not increasing:
        return HuCurve((), ())
    return HuCurve(tuple(at for at, _ in kept), tuple(to for _, to in kept))


def _anchor_pairs(
    source: Mapping[str, float], target: Mapping[str, float]
) -> list[tuple[float, float]]:
    pairs = [(source.get(name, np.nan), target.get(name, np.nan)) for name in MATERIALS]
    return [(float(at), float(to)) for at, to in pairs if np.isfinite(at) and np.isfinite(to)]
