"""Do latents stand for one factor each? MIG, DCI and SAP against factors that are known.

Continuous latents and factors are cut into equally filled bins for mutual information.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold

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


def splits_of(subjects: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Held-out scans (scans,) bool of each split; the scans of a subject are never parted."""
    count = min(folds, len(set(subjects)))
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    found = []
    for _, test in splitter.split(subjects, groups=subjects):
        held = np.zeros(len(subjects), dtype=bool)
        held[test] = True
        found.append(held)
    return found


def dci(
    latents: np.ndarray, factors: np.ndarray, splits: Sequence[np.ndarray], seed: int
) -> tuple[DCI, DCI]:
    """DCI from the importances of random forests (Eastwood and Williams 2018), and its spread.

    Every split fits a forest of its own seed on its training scans. Disentanglement and
    completeness are means over the splits; informativeness is the R2 of all held-out predictions,
    averaged over factors and cut at 0.

    Args:
        splits: of `splits_of`.

    Returns:
        The scores, and their SDs over the splits (of the estimator, not of trained models).
    """
    columns = [column for column in factors.T if np.ptp(column) > 0]
    if not columns:
        nothing = DCI(float("nan"), float("nan"), float("nan"))
        return nothing, nothing
    predicted = np.zeros((len(columns), len(latents)))
    scores = []
    for number, held in enumerate(splits):
        table = _fitted(latents, columns, held, seed + number, predicted)
        told = _explained(columns, predicted, held)
        scores.append((_concentration(table), _concentration(table.T), told))
    mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
    whole = _explained(columns, predicted, np.ones(len(latents), dtype=bool))
    return DCI(*map(float, mean[:2]), whole), DCI(*map(float, spread))


def _fitted(
    latents: np.ndarray,
    columns: Sequence[np.ndarray],
    held: np.ndarray,
    seed: int,
    predicted: np.ndarray,
) -> np.ndarray:
    """Importances (latents, factors) of one split's forests; fills `predicted` where `held`."""
    importance = []
    for index, column in enumerate(columns):
        forest = RandomForestRegressor(TREES, random_state=seed, n_jobs=1)
        forest.fit(latents[~held], column[~held])
        predicted[index, held] = forest.predict(latents[held])
        importance.append(forest.feature_importances_)
    return np.array(importance).T


def _explained(columns: Sequence[np.ndarray], predicted: np.ndarray, held: np.ndarray) -> float:
    """Mean over factors of R2, each cut at 0, of predictions (factors, scans) where `held`."""
    pairs = [(c[held], p[held]) for c, p in zip(columns, predicted, strict=True)]
    scores = [max(0.0, r2_score(*pair)) for pair in pairs if np.ptp(pair[0]) > 0]
    return float(np.mean(scores)) if scores else float("nan")


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
