"""Rows of metrics.tsv, paired.tsv and bland_altman.tsv on scans that have a truth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ctharmony.evaluation.agreement import bland_altman
from ctharmony.evaluation.bootstrap import bootstrap_mean
from ctharmony.evaluation.metrics import ALL_SITES, metric_row
from ctharmony.evaluation.streaming import Measured

COLUMNS = ("scan", "site", "subject", "method", "metric", "value")
DIFFERENCES = (
    "laa950_bias_points", "perc15_bias_hu", "lung_volume_bias_ml", "nodule_volume_bias_mm3",
    "tissue_shift_hu_",
)  # fmt: skip


def paired_table(measured: Sequence[Measured]) -> pd.DataFrame:
    """One row per scan, method and metric; biases and shifts keep their sign here."""
    rows = [
        (one.case.scan, one.case.site, one.case.subject, method, metric, value)
        for one in measured
        for method, metric, value in one.paired
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def paired_rows(
    paired: pd.DataFrame, target: str, repeats: int, seed: int
) -> list[dict[str, object]]:
    """Means over scans with intervals over subjects, for every site and for `all` but the target.

    Biases and tissue shifts are averaged as absolute values, so that one site's excess cannot
    hide another's lack; their signs are in paired.tsv and bland_altman.tsv.
    """
    rows = []
    for (metric, method), group in paired.groupby(["metric", "method"], sort=False):
        values = group["value"].abs() if str(metric).startswith(DIFFERENCES) else group["value"]
        for site, chosen in _by_site(group, target):
            estimate = bootstrap_mean(
                values[chosen].to_numpy(), group.loc[chosen, "subject"].tolist(), repeats, seed
            )
            rows.append(metric_row(str(metric), str(method), "image", estimate, site))
    return rows


def bland_altman_table(paired: pd.DataFrame, target: str) -> pd.DataFrame:
    """Bias and limits of agreement with the truth: lung density, volumes and tissue HU."""
    rows = []
    kept = paired[paired["metric"].str.startswith(DIFFERENCES)]
    for (metric, method), group in kept.groupby(["metric", "method"], sort=False):
        for site, chosen in _by_site(group, target):
            values = group.loc[chosen, "value"].to_numpy(dtype=float)
            found = bland_altman(values, np.zeros_like(values))
            rows.append((metric, method, site, found.bias, found.lower, found.upper, found.n))
    columns = ["metric", "method", "site", "bias", "lower", "upper", "n"]
    return pd.DataFrame(rows, columns=columns)


def _by_site(group: pd.DataFrame, target: str) -> list[tuple[str, pd.Series]]:
    sites = [(str(site), group["site"] == site) for site in group["site"].unique()]
    away = group["site"] != target
    return [*sites, (ALL_SITES, away)] if away.any() else sites
