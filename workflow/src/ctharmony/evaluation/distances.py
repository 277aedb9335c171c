"""Rows of site_divergence.tsv and metrics.tsv on how far the sites' grey values lie apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ctharmony.evaluation.bootstrap import interval, subject_weights
from ctharmony.evaluation.metrics import ALL_SITES, metric_row
from ctharmony.evaluation.site_distance import divergence_table, site_histograms
from ctharmony.evaluation.streaming import Measured
from ctharmony.quality.histogram import CENTRES_HU

METRICS = ("js_nats", "wasserstein_hu")


class SiteDistances:
    """Distances of all pairs of sites for one method, and of resamples of its subjects.

    Attributes:
        method: its name.
        table: one row per pair of sites (see `site_distance.divergence_table`).
        resampled: such tables of bootstrap resamples of subjects.
        subjects: number of subjects.
    """

    def __init__(self, measured: Sequence[Measured], method: str, repeats: int, seed: int) -> None:
        held = [one for one in measured if method in one.histograms]
        bins = len(CENTRES_HU)
        histograms = np.array([one.histograms[method] for one in held]).reshape(-1, bins)
        sites = np.array([one.case.site for one in held], dtype=str)
        subjects = [one.case.subject for one in held]
        self.method, self.subjects = method, len(set(subjects))
        self.table = divergence_table(site_histograms(histograms, sites), CENTRES_HU, method)
        self.resampled = []
        for weights in subject_weights(subjects, repeats, seed) if held else ():
            drawn = np.repeat(np.arange(len(held)), weights.astype(int))
            by_site = site_histograms(histograms[drawn], sites[drawn])
            self.resampled.append(divergence_table(by_site, CENTRES_HU, method))

    def rows(self, target: str) -> list[dict[str, object]]:
        """Mean over pairs (`all`) and every other site's distance to the target, with intervals."""
        if self.table.empty:
            return []
        found = []
        others = sorted({*self.table["site_a"], *self.table["site_b"]} - {target})
        for metric in METRICS:
            for site in (ALL_SITES, *others):
                value = _mean(self.table, metric, site, target)
                replicates = np.array([_mean(one, metric, site, target) for one in self.resampled])
                estimate = interval(_centred(replicates, value), value, self.subjects)
                found.append(metric_row(metric, self.method, "image", estimate, site))
        return found


def _centred(replicates: np.ndarray, value: float) -> np.ndarray:
    """Replicates moved so that their mean is the value, none below 0.

    A divergence of resamples lies above that of the sample, because each resample holds fewer
    different subjects; without the shift the interval could leave its own value out.
    """
    known = replicates[np.isfinite(replicates)]
    shift = value - known.mean() if len(known) else 0.0
    return np.maximum(replicates + shift, 0.0)


def _mean(table: pd.DataFrame, metric: str, site: str, target: str) -> float:
    """Mean of a metric over all pairs, or that of a site and the target; NaN without a pair."""
    values = table[metric].to_numpy(dtype=float)
    if site != ALL_SITES:
        first, second = table["site_a"].to_numpy(), table["site_b"].to_numpy()
        pair = ((first == site) & (second == target)) | ((first == target) & (second == site))
        values = values[pair]
    return float(values.mean()) if len(values) else float("nan")
