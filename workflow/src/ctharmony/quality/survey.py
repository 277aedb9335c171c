"""What came in, seen together: scans that stand out of their site, sites that differ."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ctharmony.information.discrete import js, wasserstein_1d
from ctharmony.quality.histogram import CENTRES_HU

CONSISTENT = 1.4826  # makes the median absolute deviation of a normal sample its SD
DISTANCES = {
    "js_nats": js,
    "wasserstein_hu": lambda p, q: wasserstein_1d(CENTRES_HU, p, q),
}
# words and unit of what a scan may stand out in; other columns keep their own name
SPOKEN = {
    "contrast_nats": ("contrast", "nats"),
    "noise_sd_hu": ("noise SD", "HU"),
    "nps_mean_per_mm": ("mean frequency of the noise", "/mm"),
    "mtf50_per_mm": ("frequency of 50% modulation", "/mm"),
    "air_offset_hu": ("offset of air", "HU"),
    "fat_offset_hu": ("offset of fat", "HU"),
    "soft_tissue_offset_hu": ("offset of soft tissue", "HU"),
    "slice_correlation": ("correlation of neighbouring slices", ""),
    "truncated_fraction": ("share of the image's border that the body touches", ""),
}


@dataclass(frozen=True)
class SurveySettings:
    """The config's block `survey`.

    Attributes:
        measures: columns of scans.tsv in which a scan may stand out.
        outlier_z: robust standard deviations from its site's median beyond which it does.
        minimum_scans: a site of fewer scans has no outliers.
        permutations: relabellings of subjects behind every p-value.
    """

    measures: tuple[str, ...]
    outlier_z: float
    minimum_scans: int
    permutations: int


def robust_z(values: np.ndarray) -> np.ndarray:
    """(n,) distances from the median in units of 1.4826 times the median absolute deviation.

    NaN where a value is; 0 for all where more than half are equal, which tells no scale.
    (Iglewicz and Hoaglin 1993.)
    """
    known = np.isfinite(values)
    found = np.full(len(values), np.nan)
    if not known.any():
        return found
    away = values[known] - np.median(values[known])
    scale = CONSISTENT * np.median(np.abs(away))
    found[known] = away / scale if scale > 0 else 0.0
    return found


def outliers(scans: pd.DataFrame, how: SurveySettings) -> pd.DataFrame:
    """One row per usable scan: how far it stands out of its site, and in what.

    Args:
        scans: rows with site, scan, status and the measures.
        how: columns and limit.

    Returns:
        site, scan, outlier (bool), robust_z (largest in size, signed), measure, value and
        site_median of that measure, reason in words (empty unless an outlier).
    """
    usable = scans[scans["status"] != "set_aside"]
    rows = [
        row
        for site in usable["site"].drop_duplicates()
        for row in _rows_of_site(usable[usable["site"] == site], how)
    ]
    columns = ["site", "scan", "outlier", "robust_z", "measure", "value", "site_median", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _rows_of_site(own: pd.DataFrame, how: SurveySettings) -> list[dict]:
    names = [name for name in how.measures if name in own]
    values = own[names].to_numpy(dtype=float).reshape(len(own), len(names))
    z = np.array([robust_z(column) for column in values.T]).reshape(len(names), len(own)).T
    if len(own) < how.minimum_scans:
        z[:] = np.nan
    return [
        {"site": row.site, "scan": row.scan, **_worst(z[index], values, index, names, how)}
        for index, row in enumerate(own[["site", "scan"]].itertuples(index=False))
    ]


def _worst(
    z: np.ndarray, values: np.ndarray, index: int, names: list[str], how: SurveySettings
) -> dict:
    if not np.isfinite(z).any():
        blank = dict.fromkeys(("robust_z", "value", "site_median"), np.nan)
        return {"outlier": False, **blank, "measure": "", "reason": ""}
    place = int(np.nanargmax(np.abs(z)))
    value, middle = float(values[index, place]), float(np.nanmedian(values[:, place]))
    outlier = bool(abs(z[place]) > how.outlier_z)
    what, unit = SPOKEN.get(names[place], (names[place].replace("_", " "), ""))
    told, usual = (f"{number:.4g} {unit}".strip() for number in (value, middle))
    words = f"{what} is {told} where its site's median is {usual}"
    return {
        "outlier": outlier,
        "robust_z": float(z[place]),
        "measure": names[place],
        "value": value,
        "site_median": middle,
        "reason": f"{words} ({z[place]:+.1f} robust SD)" if outlier else "",
    }


def divergences(histograms: pd.DataFrame, how: SurveySettings, seed: int) -> pd.DataFrame:
    """How far the grey values of every pair of sites lie apart, against chance.

    Args:
        histograms: index (site, subject, scan), one column per bin of CENTRES_HU.
        how: number of permutations.
        seed: of the permutations; a pair's p-values do not depend on the other sites.

    Returns:
        site_a, site_b, subjects_a, subjects_b, js_nats, js_p, wasserstein_hu, wasserstein_p; a
        p-value is NaN where fewer than two subjects stand on a side.
    """
    known = histograms[np.isfinite(histograms.to_numpy()).all(axis=1)]
    sites = known.index.get_level_values("site").drop_duplicates().tolist()
    rows = [_pair(known, pair, how.permutations, seed) for pair in combinations(sites, 2)]
    columns = ["site_a", "site_b", "subjects_a", "subjects_b"]
    columns += ["js_nats", "js_p", "wasserstein_hu", "wasserstein_p"]
    return pd.DataFrame(rows, columns=columns)


def _pair(known: pd.DataFrame, pair: tuple[str, str], count: int, seed: int) -> dict:
    means, scans, people = [], [], []
    for site in pair:
        own = known.xs(site, level="site").groupby(level="subject")
        means.append(own.mean().to_numpy())
        scans.append(own.size().to_numpy(dtype=float))
        people.append(np.array(list(own.groups), dtype=str))
    sides = np.repeat([0, 1], [len(side) for side in people])
    subjects, weights = np.concatenate(people), np.concatenate(scans)
    values = np.concatenate(means)
    enough = min(map(len, people)) >= 2
    labels = [sides, *permuted(sides, subjects, count if enough else 0, seed)]
    found = {
        name: np.array([_distance(values, weights, label, name) for label in labels])
        for name in DISTANCES
    }
    row = dict(zip(("site_a", "site_b"), pair, strict=True))
    row |= {"subjects_a": len(people[0]), "subjects_b": len(people[1])}
    for name, short in (("js_nats", "js_p"), ("wasserstein_hu", "wasserstein_p")):
        row |= {name: found[name][0], short: _p_value(found[name]) if enough else np.nan}
    return row


def _distance(values: np.ndarray, weights: np.ndarray, label: np.ndarray, name: str) -> float:
    """Distance of the two sides' mean histograms, each scan counting once."""
    one, two = (np.average(values[label == k], axis=0, weights=weights[label == k]) for k in (0, 1))
    return DISTANCES[name](one, two)


def _p_value(found: np.ndarray) -> float:
    """Share of labellings at least as far apart, the true one among them (Phipson, Smyth 2010)."""
    return float((found >= found[0] * (1 - 1e-9)).mean())


def permuted(sides: np.ndarray, subjects: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Sides (0 or 1) of the entries, relabelled by chance.

    A subject seen on both sides may change them over; all others are dealt anew, as many to
    each side as before.
    """
    random = np.random.default_rng(seed)
    _, person, times = np.unique(subjects, return_inverse=True, return_counts=True)
    both = times[person] == 2
    found = []
    for _ in range(count):
        label = sides.copy()
        swap = (random.random(len(times)) < 0.5)[person] & both
        label[swap] = 1 - label[swap]
        label[~both] = random.permutation(sides[~both])
        found.append(label)
    return found
