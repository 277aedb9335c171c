"""How far apart the sites' grey values lie: every pair of sites, for one method."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from ctharmony.information.discrete import js, wasserstein_1d

COLUMNS = ("method", "site_a", "site_b", "js_nats", "wasserstein_hu")


def site_histograms(histograms: np.ndarray, sites: np.ndarray) -> dict[str, np.ndarray]:
    """Mean histogram of every site, sites in sorted order.

    Args:
        histograms: (scans, bins) probabilities; scans with not-a-number are left out.
        sites: (scans,) names.
    """
    known = np.isfinite(histograms).all(axis=1)
    names = sorted(set(np.asarray(sites)[known]))
    return {name: histograms[known & (sites == name)].mean(axis=0) for name in names}


def divergence_table(
    by_site: Mapping[str, np.ndarray], centres_hu: np.ndarray, method: str
) -> pd.DataFrame:
    """Jensen-Shannon divergence (nats, at most log 2) and Wasserstein-1 distance (HU) of all pairs.

    Args:
        by_site: site -> (bins,) probabilities.
        centres_hu: (bins,) bin centres.
        method: goes into the first column.
    """
    rows = [
        {
            "method": method,
            "site_a": first,
            "site_b": second,
            "js_nats": js(by_site[first], by_site[second]),
            "wasserstein_hu": wasserstein_1d(centres_hu, by_site[first], by_site[second]),
        }
        for first, second in combinations(by_site, 2)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
