"""Feature harmonizers as probes take them: fitted on the training fold, applied to both.

No label or covariate enters, because a label given to a harmonizer comes back out of it.
Sources: ComBat, Johnson 2007; CovBat, Chen et al., Human Brain Mapping 2022 (ComBat, then the
scores of the principal components of what is left are aligned too); nested ComBat, Horng et al.,
Scientific Reports 2022 (one ComBat after the other, one per batch variable).
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ctharmony.evaluation.combat import ComBatOptions, fit_combat
from ctharmony.evaluation.probes import Prepare
from ctharmony.evaluation.quantiles import quantile

METHODS = ("combat", "covbat", "quantile")
TABLE_METHODS = ("combat", "covbat", "nested_combat", "quantile_nested_combat", "ctharmony")
SMALLEST_BATCH = 2
EXPLAINED = 0.95  # share of variance whose components CovBat aligns, as in its source


def harmonizer(method: str) -> Prepare:
    """The `prepare` of a probe for one of METHODS.

    Raises:
        ValueError: the method is unknown.
    """
    known = {"combat": combat, "covbat": covbat, "quantile": quantile}
    if method not in known:
        raise ValueError(f"'{method}' harmonizes no features; known are {', '.join(known)}")
    return partial(_guarded, known[method])


def nested(methods: Sequence[Prepare]) -> Prepare:
    """One harmonizer after another; `train_sites` and `test_sites` are then (scans, variables)."""

    def chained(
        train: np.ndarray, test: np.ndarray, train_sites: np.ndarray, test_sites: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        for index, method in enumerate(methods):
            train, test = method(train, test, train_sites[:, index], test_sites[:, index])
        return train, test

    return chained


def table_harmonizer(method: str, rounds: int) -> Prepare:
    """The `prepare` of a table with several batch variables; sites are (scans, variables).

    `combat` and `covbat` take the variables' combination as the batch, `nested_combat` one
    variable after the other, `quantile_nested_combat` quantiles before that. `ctharmony` maps
    quantiles variable by variable, and again: one pass disturbs what the pass before has aligned,
    as in iterative proportional fitting, and a second one leaves neither to be seen.

    Args:
        method: one of TABLE_METHODS; rounds: passes of `ctharmony`.

    Raises:
        ValueError: the method is unknown.
    """
    if method in ("combat", "covbat"):
        return partial(_combined, harmonizer(method))
    known = {
        "nested_combat": (["combat"], 1),
        "quantile_nested_combat": (["quantile", "combat"], 1),
        "ctharmony": (["quantile"], rounds),
    }
    if method not in known:
        raise ValueError(f"'{method}' harmonizes no table; known are {', '.join(TABLE_METHODS)}")
    return partial(_passes, *known[method])


def _passes(
    methods: Sequence[str],
    rounds: int,
    train: np.ndarray,
    test: np.ndarray,
    *batches: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Every method over every batch variable, as often as `rounds` says."""
    for _ in range(rounds):
        for method in methods:
            chain = nested([harmonizer(method)] * batches[0].shape[1])
            train, test = chain(train, test, *batches)
    return train, test


def _combined(
    method: Prepare, train: np.ndarray, test: np.ndarray, *batches: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The batch is the combination of all variables."""
    return method(train, test, *(np.array(["|".join(row) for row in part]) for part in batches))


def combat(
    train: np.ndarray, test: np.ndarray, train_sites: np.ndarray, test_sites: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """ComBat; complete, varying columns and batches of at least two scans are taken for granted."""
    fitted = fit_combat(train, train_sites, ComBatOptions())
    return fitted.apply(train, train_sites), fitted.apply(test, test_sites)


def covbat(
    train: np.ndarray, test: np.ndarray, train_sites: np.ndarray, test_sites: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """CovBat: ComBat, then location and scale of principal component scores aligned as well."""
    train, test = combat(train, test, train_sites, test_sites)
    mean, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-12)
    _, values, axes = np.linalg.svd((train - mean) / scale, full_matrices=False)
    share = np.cumsum(np.square(values)) / np.square(values).sum()
    axes = axes[: int(np.searchsorted(share, EXPLAINED)) + 1]
    scores, unseen = (train - mean) / scale @ axes.T, (test - mean) / scale @ axes.T
    fitted = fit_combat(scores, train_sites, ComBatOptions(shrink=False))
    moved = fitted.apply(scores, train_sites) - scores
    moved_unseen = fitted.apply(unseen, test_sites) - unseen
    return train + moved @ axes * scale, test + moved_unseen @ axes * scale


def _guarded(
    method: Prepare,
    train: np.ndarray,
    test: np.ndarray,
    train_sites: np.ndarray,
    test_sites: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Complete the tables and pass on only what can be harmonized.

    Columns that do not vary within a training site pass unchanged, and so do scans of a site with
    fewer than two training scans.
    """
    train, test = fill_missing(train, test)
    names, counts = np.unique(train_sites, return_counts=True)
    known = names[counts >= SMALLEST_BATCH]
    rows, unseen = np.isin(train_sites, known), np.isin(test_sites, known)
    if len(known) < 2:
        return train, test
    moving = varying(train[rows], train_sites[rows])
    if not moving.any():
        return train, test
    out_train, out_test = method(
        train[np.ix_(rows, moving)],
        test[np.ix_(unseen, moving)],
        train_sites[rows],
        test_sites[unseen],
    )
    train[np.ix_(rows, moving)], test[np.ix_(unseen, moving)] = out_train, out_test
    return train, test


def fill_missing(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both tables (scans, features) as new float64, missing values as training medians (or 0)."""
    train, test = np.array(train, dtype=np.float64), np.array(test, dtype=np.float64)
    for table in (train, test):
        table[~np.isfinite(table)] = np.nan
    empty = np.isnan(train).all(axis=0)
    train[:, empty] = test[:, empty] = 0.0
    median = np.nanmedian(train, axis=0)
    return np.where(np.isnan(train), median, train), np.where(np.isnan(test), median, test)


def varying(features: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Which columns (features,) vary within every site: the others have no scale to adjust."""
    spreads = [np.ptp(features[sites == site], axis=0) for site in np.unique(sites)]
    scale = np.maximum(np.abs(features).max(axis=0), 1e-12)
    return np.min(spreads, axis=0) > 1e-9 * scale
