"""Quantile harmonization of feature tables: every batch takes the shape of the pooled training set.

ComBat aligns mean and variance. What it leaves, skewness, gaps and repeated values that each batch
has shifted to numbers of its own, is enough for a random forest to name the batch for certain.
Here a value becomes its rank within its batch and then the pooled quantile of that rank
(Bolstad et al., Bioinformatics 2003, across batches instead of arrays). A rank among equal values
is drawn within their interval, so that repeated values do not survive as a mark of their batch.
"""

import zlib

import numpy as np


def quantile(
    train: np.ndarray, test: np.ndarray, train_sites: np.ndarray, test_sites: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both tables (scans, features) on the pooled quantiles of the training scans.

    A scan's result depends on the training scans and on its own values alone, its draws too.
    """
    pooled = np.sort(train, axis=0)
    found = []
    for table, sites, learned in ((train, train_sites, 1), (test, test_sites, 0)):
        draws = own_draws(table)
        mapped = table.copy()
        for site in np.unique(train_sites):
            own = sites == site
            if own.any():
                known = np.sort(train[train_sites == site], axis=0)
                ranks = relative_ranks(table[own], known, draws[own], learned)
                mapped[own] = from_ranks(ranks, pooled)
        found.append(mapped)
    return found[0], found[1]


def own_draws(table: np.ndarray) -> np.ndarray:
    """Uniform draws in [0, 1), (scans, features), that depend on a scan's own values alone."""
    rows = np.ascontiguousarray(table, dtype=np.float64)
    seeds = [zlib.crc32(row.tobytes()) for row in rows]
    draws = [np.random.default_rng(seed).random(table.shape[1]) for seed in seeds]
    return np.array(draws).reshape(table.shape)


def relative_ranks(
    values: np.ndarray, known: np.ndarray, draws: np.ndarray, learned: int
) -> np.ndarray:
    """Ranks in (0, 1) of values (scans, features) among a batch's sorted ones (others, features).

    Args:
        draws: (scans, features) in [0, 1), the place among equal values.
        learned: 1 where the scans are themselves among the known ones, else 0.
    """
    ranks = np.empty_like(values)
    for column in range(values.shape[1]):
        below = np.searchsorted(known[:, column], values[:, column], side="left")
        upto = np.searchsorted(known[:, column], values[:, column], side="right")
        width = upto - below + 1 - learned
        ranks[:, column] = (below + draws[:, column] * width) / (len(known) + 1 - learned)
    return ranks


def from_ranks(ranks: np.ndarray, pooled: np.ndarray) -> np.ndarray:
    """Pooled quantiles (scans, features) at the ranks, between the sorted values (n, features)."""
    places = (np.arange(len(pooled)) + 0.5) / len(pooled)
    columns = [np.interp(ranks[:, i], places, pooled[:, i]) for i in range(ranks.shape[1])]
    return np.column_stack(columns)
