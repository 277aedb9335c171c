"""HU calibration: a smooth curve through what the tissues of two scanners' patients show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ctharmony.harmonization.operators import ScannerOperator

LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
STEP_HU = 1.0
LUNG_KNOTS = (-1024.0, -1000.0, -960.0, -920.0, -880.0, -840.0, -780.0, -700.0, -600.0)
SOFT_KNOTS = (-400.0, -250.0, -150.0, -125.0, -100.0, -75.0, -50.0, -25.0)
WATER_KNOTS = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
BONE_KNOTS = (150.0, 200.0, 400.0, 800.0, 1600.0, 3071.0)
KNOTS = np.array([*LUNG_KNOTS, *SOFT_KNOTS, *WATER_KNOTS, *BONE_KNOTS])
# how offsets of neighbouring HU hang together: a constant, a trend, and a part of its own
TREND_PER_1000 = 0.5
OWN_PART, OWN_REACH_HU = 1.0, 50.0
# what bone and iodine have above water falls with tube voltage: the calcium that shows 130 HU at
# 120 kVp shows 147 at 100 kVp (Nakazato, J Cardiovasc Comput Tomogr 2009;3:394)
KVP_POWER, SOFT_TOP_HU = 0.75, 70.0
BONE = "bone"
LEAST_SLOPE = 0.2


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
    source: ScannerOperator,
    target: ScannerOperator,
    anchor_sd: Mapping[str, float],
    calibration_sd: float,
    bone_scale_sd: float,
) -> HuCurve:
    """Curve that takes the source's tissue modes to the target's.

    Offsets are a Gaussian process over HU (constant, trend and a part of its own of each tissue),
    seen at the tissues with the error of patients' means; its posterior mean is the curve (kriging,
    Rasmussen & Williams 2006, eq. 2.25). Above soft tissue, bone and contrast medium are first
    scaled from beam to beam (`bone_scale`).

    Args:
        source, target: operators with `hu_anchors` and `kvp`.
        anchor_sd: SD of one scan's tissue mode around its scanner's, HU, per tissue: patients
            differ, in the lung more than in fat.
        calibration_sd: SD of calibration between scanners, HU; 0 switches the curve off.
        bone_scale_sd: see `bone_scale`.
    """
    if calibration_sd <= 0:
        return HuCurve((), ())
    offsets = _kriged(source, target, anchor_sd, calibration_sd)
    scale = bone_scale(source, target, anchor_sd.get(BONE, np.inf), bone_scale_sd)
    mapped = KNOTS + offsets + (scale - 1.0) * np.maximum(KNOTS - SOFT_TOP_HU, 0.0)
    # a calibration never folds two tissues into one
    steps = np.maximum(np.diff(mapped), LEAST_SLOPE * np.diff(KNOTS))
    mapped = np.concatenate([mapped[:1], mapped[0] + np.cumsum(steps)])
    return HuCurve(tuple(KNOTS.tolist()), tuple(mapped.tolist()))


def _kriged(
    source: ScannerOperator,
    target: ScannerOperator,
    anchor_sd: Mapping[str, float],
    calibration_sd: float,
) -> np.ndarray:
    """Posterior mean of the offset at KNOTS, HU."""
    names = [
        name
        for name in anchor_sd
        if name != BONE
        and np.isfinite(source.hu_anchors.get(name, np.nan))
        and np.isfinite(target.hu_anchors.get(name, np.nan))
    ]
    if not names:
        return np.zeros_like(KNOTS)
    at = np.array([source.hu_anchors[name] for name in names])
    seen = np.array([target.hu_anchors[name] for name in names]) - at
    scans = 1 / max(source.n_scans, 1) + 1 / max(target.n_scans, 1)
    error = np.array([anchor_sd[name] for name in names]) ** 2 * scans
    covariance = _covariance(at, at, calibration_sd) + np.diag(error)
    return _covariance(KNOTS, at, calibration_sd) @ np.linalg.solve(covariance, seen)


def _covariance(first: np.ndarray, second: np.ndarray, sd: float) -> np.ndarray:
    trend = TREND_PER_1000**2 * np.multiply.outer(first, second) / 1e6
    apart = np.subtract.outer(first, second) / OWN_REACH_HU
    return sd**2 * (1 + trend + OWN_PART**2 * np.exp(-0.5 * apart**2))


def bone_scale(
    source: ScannerOperator, target: ScannerOperator, level_sd: float, scale_sd: float
) -> float:
    """What the contrast of bone above soft tissue is multiplied by.

    Its logarithm has the mean that tube voltage gives (0 where a voltage is unknown) and the SD
    `scale_sd`, as filtration and beam-hardening correction differ; the levels of bone in both
    scanners' patients are its measurement. The result is the posterior mean.

    Args:
        source, target: operators with `kvp` and the anchors bone and soft_tissue.
        level_sd: SD of one patient's level of bone around its scanner's, HU.
        scale_sd: 0 leaves tube voltage alone.
    """
    known = source.kvp > 0 and target.kvp > 0
    expected = KVP_POWER * np.log(source.kvp / target.kvp) if known else 0.0
    contrasts = [part.hu_anchors.get(BONE, np.nan) - SOFT_TOP_HU for part in (source, target)]
    if scale_sd <= 0 or not all(contrast > 0 for contrast in contrasts):
        return float(np.exp(expected))
    counts = [max(part.n_scans, 1) for part in (source, target)]
    error = sum(
        (level_sd / contrast) ** 2 / count
        for contrast, count in zip(contrasts, counts, strict=True)
    )
    share = scale_sd**2 / (scale_sd**2 + error)
    measured = np.log(contrasts[1] / contrasts[0])
    return float(np.exp(expected + share * (measured - expected)))
