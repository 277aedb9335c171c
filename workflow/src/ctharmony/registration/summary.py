"""A registration as one row of registration.tsv."""

import numpy as np

from ctharmony.registration.engine import RegistrationResult
from ctharmony.registration.sampling import FixedScan
from ctharmony.registration.transforms import apply, rotation_part, stretches

COLUMNS = (
    "mi_before_nats",
    "mi_after_nats",
    "explained",
    "coverage",
    "agreement",
    "confidence",
    "shift_mm",
    "rotation_degrees",
    "smallest_stretch",
    "largest_stretch",
)


def summarise(scan: str, result: RegistrationResult, fixed: FixedScan) -> dict[str, object]:
    """Numbers of a result; `shift_mm` is how far the template's centre goes."""
    centre = fixed.points[0].frame.centre[None]
    turn = rotation_part(result.transform)
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0)))
    widths = stretches(result.transform)
    numbers = (
        result.mi_before_nats,
        result.mi_after_nats,
        result.explained,
        result.coverage,
        result.agreement,
        result.confidence,
        float(np.linalg.norm(apply(result.transform, centre) - centre)),
        float(angle),
        float(widths[2]),
        float(widths[0]),
    )
    row: dict[str, object] = {"scan": scan, "status": result.status, "reason": result.reason}
    return row | dict(zip(COLUMNS, numbers, strict=True))


def empty_row(scan: str, status: str, reason: str) -> dict[str, object]:
    """The row of a scan that has no registration."""
    return {"scan": scan, "status": status, "reason": reason} | dict.fromkeys(COLUMNS, np.nan)
