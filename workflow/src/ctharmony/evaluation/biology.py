"""Did the patient stay? Biology predicted out of fold from features, before and after.

A numeric factor is judged by R2 (1 - squared error over that of the training mean, so a useless
probe scores 0 or less), a factor with two values by AUC.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ctharmony.evaluation.bootstrap import Estimate, interval, subject_weights, unanswered
from ctharmony.evaluation.probes import ProbeSettings, Sample, probe, refusal

ALPHAS = tuple(np.logspace(-1, 4, 11))


def factor_kind(values: Sequence[object]) -> str:
    """`auc` for two distinct values, `r2` for more numbers, `none` where nothing can be probed."""
    known = pd.Series(list(values)).dropna()
    if known.nunique() == 2:
        return "auc"
    numeric = pd.to_numeric(known, errors="coerce")
    return "r2" if known.nunique() > 2 and numeric.notna().all() else "none"


def ridge_probe() -> Pipeline:
    """Standardised ridge regression of a factor; missing values take the training median."""
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), RidgeCV(ALPHAS))


def probe_factor(sample: Sample, values: Sequence[object], how: ProbeSettings) -> Estimate:
    """R2 or AUC of a factor (scans,) out of fold; missing values are left out.

    The factor never enters `sample.prepare`. Unanswered where too few subjects know it.
    """
    series = pd.Series(list(values))
    known = series.notna().to_numpy()
    sample, series = sample.only(known), series[known]
    subjects = len(set(sample.subjects))
    kind = factor_kind(series)
    if kind == "auc":
        labels = series.astype(str).to_numpy()
        if refusal(labels, sample.subjects, how):
            return unanswered(subjects)
        return probe(sample, labels, "linear", how).auc
    if kind == "none" or subjects < 2 * max(2, how.minimum_subjects):
        return unanswered(subjects)
    return _explained(sample, pd.to_numeric(series).to_numpy(dtype=float), how)


def _explained(sample: Sample, values: np.ndarray, how: ProbeSettings) -> Estimate:
    predicted, expected = np.zeros(len(values)), np.zeros(len(values))
    subjects = len(set(sample.subjects))
    splitter = GroupKFold(min(how.folds, subjects), shuffle=True, random_state=how.seed)
    for _, test in splitter.split(values, groups=sample.subjects):
        held = np.zeros(len(values), dtype=bool)
        held[test] = True
        train, unseen = sample.fold(held)
        predicted[held] = ridge_probe().fit(train, values[~held]).predict(unseen)
        expected[held] = values[~held].mean()
    errors = np.stack([np.square(values - predicted), np.square(values - expected)])
    weights = subject_weights(sample.subjects, how.bootstrap_repeats, how.seed)
    model_error, mean_error = errors @ weights.T
    with np.errstate(divide="ignore", invalid="ignore"):
        replicates = 1 - model_error / mean_error
    return interval(replicates, float(1 - errors[0].sum() / errors[1].sum()), subjects)


def correlations(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson correlation of every feature (scans, features) with a factor, NaN where constant."""
    known = np.isfinite(features) & np.isfinite(values)[:, None]
    count = known.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(known, features, 0.0)
        y = np.where(known, values[:, None], 0.0)
        x = np.where(known, x - x.sum(0) / count, 0.0)
        y = np.where(known, y - y.sum(0) / count, 0.0)
        return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))


def within_sites(values: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Values (scans,) or (scans, features) less the mean of their site, missing values kept."""
    centred = np.array(values, dtype=np.float64)
    for site in np.unique(sites):
        own = sites == site
        part = centred[own]
        count = np.maximum(np.isfinite(part).sum(0), 1)
        centred[own] = part - np.nansum(part, axis=0) / count
    return centred


def effect_bias(
    before: np.ndarray,
    after: np.ndarray,
    values: np.ndarray,
    sites: np.ndarray,
    strongest: int,
) -> float:
    """How much of a factor's effect a pooled study misses, as a difference of correlations.

    The reference is the correlation of feature and factor within sites in the untouched data,
    which no site effect can disturb; the bias is the mean over the `strongest` features of the
    reference of |pooled correlation after| - |reference|. Below 0 the effect is diluted or
    deleted, above 0 it is exaggerated. Choosing the strongest lifts the reference a little
    (winner's curse), equally for every method.

    Args:
        before, after: (scans, features) untouched and harmonized.
        values: (scans,) the factor, NaN where unknown.
        sites: (scans,) names.
        strongest: number of features that count.
    """
    reference = np.abs(correlations(within_sites(before, sites), within_sites(values, sites)))
    pooled = np.abs(correlations(after, values))
    usable = np.flatnonzero(np.isfinite(reference) & np.isfinite(pooled))
    if len(usable) == 0:
        return float("nan")
    chosen = usable[np.argsort(-reference[usable], kind="stable")[:strongest]]
    return float((pooled[chosen] - reference[chosen]).mean())
