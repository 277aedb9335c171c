"""Curves of several scans on one frequency grid."""

import numpy as np
import pandas as pd

TINY = 1e-12


def smooth_bins(values: np.ndarray, sd_bins: float) -> np.ndarray:
    """Gaussian smoothing along the last axis that steps over NaN; NaN bins stay NaN."""
    known = np.isfinite(values)
    if sd_bins <= 0 or not known.any():
        return values
    index = np.arange(values.shape[-1])
    kernel = np.exp(-0.5 * ((index[:, None] - index[None, :]) / sd_bins) ** 2)
    weight = known.astype(float) @ kernel
    mean = np.where(known, values, 0.0) @ kernel / np.maximum(weight, TINY)
    return np.where(known, mean, np.nan)


def stacked(
    curves: pd.DataFrame, scans: list[str], names: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Curves (scan, curve, x, y) as one (scans, bins) array for each name, and the bins' x.

    Raises:
        ValueError: none of the scans has the first of the curves.
    """
    chosen = curves[curves["curve"].isin(names)]
    frequencies = np.sort(chosen["x"].astype(float).round(6).unique())
    stacks = {}
    for name in names:
        part = chosen[chosen["curve"] == name]
        table = part.assign(x=part["x"].astype(float).round(6), scan=part["scan"].astype(str))
        # the mean joins scans of one name from several sites
        wide = table.pivot_table(index="scan", columns="x", values="y", aggfunc="mean")
        stacks[name] = wide.reindex(index=scans, columns=frequencies).to_numpy(dtype=float)
    if not np.isfinite(stacks[names[0]]).any():
        raise ValueError(
            f"none of the scans {', '.join(scans[:5])} has a curve {names[0]}; "
            "check that they show soft tissue"
        )
    return frequencies, stacks


def median_curve(stack: np.ndarray, smoothing_bins: float) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed centre and robust log-SD, (bins,) each, of positive curves (scans, bins)."""
    logs = np.log(np.where(stack > 0, stack, np.nan))
    seen = np.isfinite(logs).any(axis=0)
    centre, scatter = np.full(logs.shape[1], np.nan), np.full(logs.shape[1], np.nan)
    centre[seen] = np.nanmedian(logs[:, seen], axis=0)
    # 1.4826 makes the median absolute deviation an SD under a normal law; two scans show none
    if len(logs) >= 3:
        scatter[seen] = 1.4826 * np.nanmedian(np.abs(logs[:, seen] - centre[seen]), axis=0)
    return np.exp(smooth_bins(centre, smoothing_bins)), smooth_bins(scatter, smoothing_bins)


def mean_curve(curves: pd.DataFrame, scans: list[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    """x and mean y over scans of the curve `name`, each (bins,); NaN where no scan has a value."""
    x, stacks = stacked(curves, scans, (name,))
    seen = np.isfinite(stacks[name])
    total = np.where(seen, stacks[name], 0.0).sum(axis=0)
    return x, np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan)


def filled(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`values`, with its NaN taken from `others`."""
    return np.where(np.isfinite(values), values, others)
