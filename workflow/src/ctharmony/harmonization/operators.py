"""What a CT scanner does to a patient, as a few measured curves: blur, noise, calibration.

A site's operator is the robust mean of the curves that ingest measured on each of its scans, so
it needs no pairs, no phantom scan and no training, and a new site has one after its first scan.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.harmonization.curves import filled, median_curve, stacked

CURVES = ("nps", "mtf", "spectrum", "lung")
ANCHOR_COLUMNS = {
    "air": "air_mode_hu",
    "lung": "lung_mode_hu",
    "fat": "fat_mode_hu",
    "soft_tissue": "soft_tissue_mode_hu",
    "bone": "bone_level_hu",
}
GEOMETRY_COLUMNS = ("slice_thickness_mm", "kvp")


@dataclass(frozen=True)
class OperatorSettings:
    """How curves of several scans become one operator.

    Attributes:
        shrinkage_scans: weight of the prior operator, counted in scans (0 = never shrink).
        smoothing_bins: SD of the Gaussian that smooths each curve, in frequency bins (0 = none).
    """

    shrinkage_scans: float
    smoothing_bins: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "OperatorSettings":
        """Read the block `operator`, or a whole harmonization block that holds it."""
        content = content.get("operator", content)
        return cls(float(content["shrinkage_scans"]), float(content["smoothing_bins"]))


@dataclass(frozen=True)
class ScannerOperator:
    """A scanner (or one scan of it) in physical units.

    Attributes:
        frequencies: (bins,) cycles/mm, the bin centres of every curve.
        nps: (bins,) noise power spectrum in soft tissue, HU^2 mm^2; NaN beyond Nyquist.
        mtf: (bins,) modulation transfer, 1 at frequency 0; NaN beyond Nyquist.
        spectrum: (bins,) power of the body's slices, edges included, HU^2 mm^2; NaN as above.
        lung: (bins,) power of calm lung, HU^2 mm^2; NaN as above and where no lung is seen.
        nps_log_sd, mtf_log_sd: (bins,) scatter between scans, SD of the natural logarithm;
            NaN with fewer than three scans.
        hu_anchors: modes of air, lung, fat and soft tissue and level of bone, HU; NaN where
            not seen.
        noise_sd: SD of the noise in soft tissue, HU.
        body_area_cm2: mean cross-section of the bodies that `noise_sd` was measured in.
        slice_thickness_mm, kvp: medians of the header values; NaN where not given.
        n_scans: number of scans behind the curves.
    """

    frequencies: np.ndarray
    nps: np.ndarray
    mtf: np.ndarray
    spectrum: np.ndarray
    lung: np.ndarray
    nps_log_sd: np.ndarray
    mtf_log_sd: np.ndarray
    hu_anchors: dict[str, float]
    noise_sd: float
    body_area_cm2: float
    slice_thickness_mm: float
    kvp: float
    n_scans: int

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON (NaN stays NaN: `io.files` writes null)."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ScannerOperator":
        """Inverse of `to_dict`; null counts as NaN.

        Raises:
            ValueError: a field is missing; the message names it.
        """
        missing = [field.name for field in fields(cls) if field.name not in content]
        if missing:
            raise ValueError(f"the scanner operator lacks {', '.join(missing)}; run adapt again")
        plain = {field.name: content[field.name] for field in fields(cls)}
        curves = {
            name: np.array(plain[name], dtype=np.float64)
            for name in ("frequencies", *CURVES, "nps_log_sd", "mtf_log_sd")
        }
        scalars = {
            name: _number(plain[name]) for name in ("noise_sd", "body_area_cm2", *GEOMETRY_COLUMNS)
        }
        anchors = {name: _number(value) for name, value in plain["hu_anchors"].items()}
        return cls(**curves, **scalars, hu_anchors=anchors, n_scans=int(plain["n_scans"]))


def estimate_operator(
    curves: pd.DataFrame,
    rows: pd.DataFrame,
    settings: OperatorSettings | Mapping[str, Any],
    prior: ScannerOperator | None = None,
) -> ScannerOperator:
    """Robust mean operator of the scans in `rows`.

    Curves are averaged over scans as medians of logarithms (a scan that failed cannot drag the
    site), smoothed over frequency and, given a `prior` (the mean over the reference sites), drawn
    toward its shape with the weight of `shrinkage_scans` scans. The noise level stays the site's
    own: it is the best measured and the most variable part.

    Args:
        curves: columns scan, curve, x (cycles/mm), y, as ingest measured them.
        rows: columns of scans.tsv; rows set aside are skipped.
        settings: see `OperatorSettings`, or a mapping with its two keys.
        prior: operator to shrink toward, or None.

    Raises:
        ValueError: no usable scan, or none with a noise spectrum.
    """
    if not isinstance(settings, OperatorSettings):
        settings = OperatorSettings.from_dict(settings)
    usable = rows[rows["status"] != "set_aside"] if "status" in rows else rows
    if usable.empty:
        raise ValueError("no usable scan to estimate the scanner from; add a scan of this site")
    scans = usable["scan"].astype(str).tolist()
    frequencies, stacks = stacked(curves, scans, CURVES)
    summary = {name: median_curve(stack, settings.smoothing_bins) for name, stack in stacks.items()}
    operator = ScannerOperator(
        frequencies=frequencies,
        **{name: centre for name, (centre, _) in summary.items()},
        nps_log_sd=summary["nps"][1],
        mtf_log_sd=summary["mtf"][1],
        hu_anchors={name: _column(usable, column) for name, column in ANCHOR_COLUMNS.items()},
        noise_sd=_column(usable, "noise_sd_hu"),
        body_area_cm2=_body_area(usable),
        **{name: _column(usable, name) for name in GEOMETRY_COLUMNS},
        n_scans=len(scans),
    )
    return operator if prior is None else shrink(operator, prior, settings.shrinkage_scans)


def shrink(operator: ScannerOperator, prior: ScannerOperator, weight: float) -> ScannerOperator:
    """Draw the curves' shapes toward `prior`'s with the weight of `weight` scans.

    The power curves keep their own level (mean logarithm over the common bins); anchors, noise
    level and geometry stay the operator's own wherever it has them.
    """
    share = operator.n_scans / (operator.n_scans + weight) if operator.n_scans + weight else 1.0
    mixed = {name: _mixed_log(operator, prior, name, share) for name in CURVES}
    anchors = {
        name: value if np.isfinite(value) else prior.hu_anchors.get(name, np.nan)
        for name, value in operator.hu_anchors.items()
    }
    own = asdict(operator)
    for name in ("noise_sd", "body_area_cm2", *GEOMETRY_COLUMNS):
        own[name] = own[name] if np.isfinite(own[name]) else getattr(prior, name)
    for name in ("nps_log_sd", "mtf_log_sd"):
        own[name] = filled(own[name], getattr(prior, name))
    return ScannerOperator(**{**own, **mixed, "hu_anchors": anchors})


def mean_operator(operators: list[ScannerOperator]) -> ScannerOperator:
    """The middle of several scanners: medians of their curves (of logarithms) and numbers.

    Raises:
        ValueError: the list is empty.
    """
    if not operators:
        raise ValueError("no scanner to average; give at least one reference site")
    curves = {
        name: median_curve(np.stack([getattr(operator, name) for operator in operators]), 0.0)[0]
        for name in (*CURVES, "nps_log_sd", "mtf_log_sd")
    }
    numbers = pd.DataFrame([vars(operator) for operator in operators])
    anchors = pd.DataFrame([operator.hu_anchors for operator in operators]).median()
    return ScannerOperator(
        frequencies=operators[0].frequencies,
        **curves,
        hu_anchors={name: float(value) for name, value in anchors.items()},
        **{name: _column(numbers, name) for name in ("noise_sd", "body_area_cm2")},
        **{name: _column(numbers, name) for name in GEOMETRY_COLUMNS},
        n_scans=sum(operator.n_scans for operator in operators),
    )


def _mixed_log(
    operator: ScannerOperator, prior: ScannerOperator, name: str, share: float
) -> np.ndarray:
    own, other = np.log(getattr(operator, name)), np.log(getattr(prior, name))
    both = np.isfinite(own) & np.isfinite(other)
    if name != "mtf" and both.any():
        other = other + np.mean(own[both] - other[both])
    mixed = np.where(both, share * own + (1 - share) * other, filled(own, other))
    return np.exp(mixed)


def _body_area(rows: pd.DataFrame) -> float:
    needed = ("body_volume_ml", "slices", "spacing_z_mm")
    if any(name not in rows for name in needed):
        return float("nan")
    volume, slices, spacing = (pd.to_numeric(rows[name], errors="coerce") for name in needed)
    return float((volume / (slices * spacing / 10.0)).median())


def _column(rows: pd.DataFrame, name: str) -> float:
    if name not in rows:
        return float("nan")
    return float(pd.to_numeric(rows[name], errors="coerce").median())


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
