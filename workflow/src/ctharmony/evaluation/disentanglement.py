"""Do latents stand for one factor each? MIG, DCI and SAP against factors that are known.

Continuous latents and factors are cut into equally filled bins for mutual information.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from ctharmony.information.discrete import entropy, mutual_information

BINS = 10
TREES = 40


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness, each from 0 to 1 (or below for R2)."""

    disentanglement: float
    completeness: float
    informativeness: float


def binned(values: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Codes (scans,) of equally filled bins; few distinct values keep a code each."""
    values = np.asarray(values, dtype=np.float64)
    distinct = np.unique(values)
    if len(distinct) <= bins:
        return np.searchsorted(distinct, values)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, values, side="right")


def information_table(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Mutual information (latents, factors) in nats of binned latents and factors."""
    z = [binned(column) for column in latents.T]
    v = [binned(column) for column in factors.T]
    return np.array([[mutual_information(_joint(a, b)) for b in v] for a in z])


def mutual_information_gap(latents: np.ndarray, factors: np.ndarray) -> float:
    """MIG: gap of the two most informative latents over the factor's entropy (Chen et al. 2018).

    Args:
        latents: (scans, latents), at least two.
        factors: (scans, factors), numbers or codes.
    """
    table = np.sort(information_table(latents, factors), axis=0)
    entropies = np.array([entropy(np.bincount(binned(column))) for column in factors.T])
    known = entropies > 0
    if not known.any() or table.shape[0] < 2:
        return float("nan")
    return float(((table[-1] - table[-2])[known] / entropies[known]).mean())


def separated_predictability(latents: np.ndarray, factors: np.ndarray) -> float:
    """SAP: gap of the two best single-latent R2 of every factor (Kumar et al. 2018)."""
    x = latents - latents.mean(0)
    y = factors - factors.mean(0)
    known = y.std(0) > 0
    if not known.any() or latents.shape[1] < 2:
        return float("nan")
    scale = np.sqrt(np.outer(np.square(x).sum(0), np.square(y).sum(0)))
    scores = np.sort(np.square(np.divide(x.T @ y, scale, where=scale > 0, out=scale * 0)), axis=0)
    return float((scores[-1] - scores[-2])[known].mean())


def dci(latents: np.ndarray, factors: np.ndarray, folds: int, seed: int) -> DCI:
    """DCI from the importances of random forests (Eastwood and Williams 2018).

    Informativeness is the out-of-fold R2, averaged over factors and cut at 0.
    """
    importance, scores = [], []
    for column in factors.T:
        if np.ptp(column) == 0:
            continue
        forest = RandomForestRegressor(TREES, random_state=seed, n_jobs=1)
        splitter = KFold(folds, shuffle=True, random_state=seed)
        predicted = cross_val_predict(forest, latents, column, cv=splitter)
        scores.append(max(0.0, r2_score(column, predicted)))
        importance.append(forest.fit(latents, column).feature_importances_)
    if not importance:
        return DCI(float("nan"), float("nan"), float("nan"))
    table = np.array(importance).T
    return DCI(_concentration(table), _concentration(table.T), float(np.mean(scores)))


def _concentration(importance: np.ndarray) -> float:
    """1 - entropy of each row over its columns, rows weighted by their share of importance."""
    total = importance.sum(axis=1)
    used = total > 0
    if importance.shape[1] < 2 or not used.any():
        return float("nan")
    single = [1 - entropy(row) / np.log(importance.shape[1]) for row in importance[used]]
    return float(np.average(single, weights=total[used]))


def _joint(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1.0)
    return table
