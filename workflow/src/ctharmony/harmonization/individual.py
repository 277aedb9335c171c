"""From a site's scanner to one scan on it: its own noise and blur, and whether to touch it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.harmonization.baselines import Histogram
from ctharmony.harmonization.curves import mean_curve
from ctharmony.harmonization.operators import (
    OperatorSettings,
    ScannerOperator,
    estimate_operator,
    shrink,
)
from ctharmony.harmonization.transport import Harmonized


@dataclass(frozen=True)
class Limits:
    """Beyond these a scan is returned as it is, with the reason.

    Attributes:
        noise_ratio: largest factor between the noise SD of scan and target.
        anchor_hu: largest difference between a tissue's mode in scan's site and target, HU.
    """

    noise_ratio: float
    anchor_hu: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Limits":
        """Read the block `limits` of the harmonization config."""
        return cls(float(content["noise_ratio"]), float(content["anchor_hu"]))


def scan_operator(
    site: ScannerOperator,
    curves: pd.DataFrame,
    rows: pd.DataFrame,
    smoothing_bins: float,
    site_weight: float,
) -> ScannerOperator:
    """The site's operator moved toward what this one scan shows.

    Dose and patient size differ from scan to scan, so the noise level is the scan's own and the
    shapes are shrunk to the site's with the weight of `site_weight` scans. Calibration is the
    site's: one patient's fat says little about the scanner.

    Args:
        site: operator of the scan's site.
        curves, rows: those of this scan alone, as ingest wrote them.
        smoothing_bins: see `OperatorSettings`.
        site_weight: in scans; 0 trusts the scan alone.
    """
    settings = OperatorSettings(shrinkage_scans=site_weight, smoothing_bins=smoothing_bins)
    try:
        own = estimate_operator(curves, rows, settings)
    except ValueError:
        return site
    shrunk = shrink(own, site, site_weight)
    return replace(shrunk, hu_anchors=site.hu_anchors, n_scans=site.n_scans)


def refusal(source: ScannerOperator, target: ScannerOperator, limits: Limits) -> str:
    """Empty, or why a scan with the operator `source` must not be carried to `target`."""
    ratio = source.noise_sd / target.noise_sd
    if np.isfinite(ratio) and not 1 / limits.noise_ratio <= ratio <= limits.noise_ratio:
        return (
            f"out of distribution: noise SD {source.noise_sd:.1f} HU against the target's "
            f"{target.noise_sd:.1f}, more than {limits.noise_ratio:g} times apart"
        )
    for name in ("air", "fat", "soft_tissue"):
        gap = source.hu_anchors.get(name, np.nan) - target.hu_anchors.get(name, np.nan)
        if abs(gap) > limits.anchor_hu:
            return (
                f"out of distribution: {name.replace('_', ' ')} lies {gap:+.0f} HU from the "
                f"target's; check that the scan is in HU"
            )
    return ""


def site_histogram(curves: pd.DataFrame, scans: list[str]) -> Histogram:
    """Mean body histogram of the given scans.

    Raises:
        ValueError: none of them has one.
    """
    centres, mean = mean_curve(curves, scans, "histogram")
    return Histogram(centres, mean / mean.sum())


def unchanged(hu: np.ndarray) -> Harmonized:
    """The scan as its own result: change and uncertainty 0."""
    zero = np.zeros_like(hu)
    return Harmonized(hu, zero, zero)


def summary(result: Harmonized, body: np.ndarray) -> dict[str, float]:
    """Size of the change and of its uncertainty inside `body` (bool, the scan's shape), HU."""
    change = np.abs(result.change[body]) if body.any() else np.zeros(1)
    spread = result.uncertainty[body] if body.any() else np.zeros(1)
    return {
        "mean_absolute_change_hu": float(change.mean()),
        "max_absolute_change_hu": float(change.max()),
        "mean_change_hu": float(result.change[body].mean()) if body.any() else 0.0,
        "mean_uncertainty_hu": float(spread.mean()),
    }
