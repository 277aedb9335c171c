"""Do the sites' patients overlap? Where they do not, scanner and patient cannot be told apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

COLUMNS = ("factor", "first_site", "second_site", "overlap", "n_first", "n_second", "answerable")
BINS = 8


def overlap_coefficient(first: np.ndarray, second: np.ndarray) -> float:
    """Shared area of two distributions, 0 (disjoint) to 1 (equal) (Weitzman 1970).

    Numbers are counted in at most eight bins of equal width over both ranges together, fewer for
    small samples (square root of the smaller one); two-valued factors per value.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    both = np.concatenate([first, second])
    if np.ptp(both) == 0:
        return 1.0
    bins = int(np.clip(np.sqrt(min(len(first), len(second))), 2, BINS))
    edges = np.linspace(both.min(), both.max(), bins + 1)
    p, q = (np.histogram(part, edges)[0] / len(part) for part in (first, second))
    return float(np.minimum(p, q).sum())


def overlap_table(
    factors: Mapping[str, Sequence[object]],
    sites: Sequence[str],
    subjects: Sequence[str],
    minimum: float,
) -> pd.DataFrame:
    """Overlap of every factor between every two sites, one value per subject.

    Args:
        factors: name -> (scans,) values, missing allowed; two-valued text is coded 0 and 1.
        sites, subjects: (scans,) names.
        minimum: overlap below which the two sites are called not comparable in this factor.
    """
    rows = []
    frame = pd.DataFrame({"site": list(sites), "subject": list(subjects)})
    for factor, values in factors.items():
        table = frame.assign(value=coded(values)).dropna().drop_duplicates(["site", "subject"])
        groups = {site: part["value"].to_numpy() for site, part in table.groupby("site")}
        for first, second in combinations(sorted(groups), 2):
            shared = overlap_coefficient(groups[first], groups[second])
            counts = len(groups[first]), len(groups[second])
            rows.append((factor, first, second, shared, *counts, bool(shared >= minimum)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def coded(values: Sequence[object]) -> pd.Series:
    """Values as floats; text becomes codes in sorted order, missing stays missing."""
    series = pd.Series(list(values))
    numbers = pd.to_numeric(series, errors="coerce")
    if numbers[series.notna()].notna().all():
        return numbers.astype(float)
    codes = series.astype("string").astype("category").cat.codes.astype(float)
    return codes.where(series.notna())
