"""Many questions at once: which of many p-values survive the number of questions.

Source: Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, kruskal

from ctharmony.evaluation.tables import FeatureSet

COLUMNS = ("feature", "method", "statistic", "p_value", "q_value", "n")
FALSE_SHARE = 0.05  # of the findings that may be false
FEWEST = 2  # subjects of a site that can be compared


def q_values(p_values: Sequence[float]) -> np.ndarray:
    """Benjamini-Hochberg q-values; not-a-number p-values are no questions and stay so."""
    p = np.asarray(p_values, dtype=np.float64)
    found = np.full(p.shape, np.nan)
    asked = np.isfinite(p)
    if asked.any():
        found[asked] = false_discovery_control(p[asked], method="bh")
    return found


def site_differences(features: FeatureSet) -> pd.DataFrame:
    """Does a feature's distribution differ between sites? One row per feature.

    Kruskal and Wallis (1952) over subjects seen at one site alone, their scans averaged: a
    travelling subject is at every site and would be counted as many.

    Returns:
        feature, method, statistic (H), p_value, q_value over all features of the method, n
        subjects of the sites compared; sites of fewer than two are left out. Not-a-number where a
        feature is constant or fewer than two sites are left.
    """
    sample = features.sample
    frame = pd.DataFrame(sample.features, columns=features.names)
    keys = [pd.Series(sample.subjects, name="subject"), pd.Series(sample.sites, name="site")]
    means = frame.groupby(keys).mean().reset_index()
    own = means[~means["subject"].duplicated(keep=False)]
    rows = [(name, features.method, *_compared(own, name)) for name in features.names]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "q_value"])
    return table.assign(q_value=q_values(table["p_value"]))[list(COLUMNS)]


def differing_share(table: pd.DataFrame) -> float:
    """Share of the features that could be compared whose q-value is at most FALSE_SHARE."""
    known = table["q_value"].dropna()
    return float((known <= FALSE_SHARE).mean()) if len(known) else float("nan")


def _compared(own: pd.DataFrame, name: str) -> tuple[float, float, int]:
    known = own[["site", name]].dropna()
    groups = [part[name].to_numpy() for _, part in known.groupby("site")]
    groups = [group for group in groups if len(group) >= FEWEST]
    count = sum(map(len, groups))
    if len(groups) < 2 or np.ptp(np.concatenate(groups)) == 0:
        return float("nan"), float("nan"), count
    found = kruskal(*groups)
    return float(found.statistic), float(found.pvalue), count
