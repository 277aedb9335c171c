"""Does biology stay where the sites' patients differ? Judged against the same patients on one site.

Every virtual patient has a scan at every site. A study sees one of them: the patient is sent to a
site by a score that correlates with a factor. What is then learned from the scans of such a study,
harmonized, must hold for other patients at whatever site; a probe that took the scanner for the
disease pays here. The truth is the same probe on the same patients, all of them at one site.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.model_selection import KFold

from ctharmony.evaluation.biology import ridge_probe
from ctharmony.evaluation.bootstrap import Estimate, interval, subject_weights
from ctharmony.evaluation.overlap import overlap_table
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.tables import KEYS

KEPT, LOST, OPEN = "kept", "lost", "within the interval"
NO_OVERLAP, NO_SIGNAL = "cannot be answered: supports do not overlap", "not seen on one site either"


@dataclass(frozen=True)
class ConfoundingSettings:
    """How the answers are given.

    Attributes:
        probes: folds, resamples and seed.
        divisions: divisions into folds that every R2 is averaged over.
        overlap_minimum: overlap of a factor between two sites below which nothing is answered.
        least_r2: R2 on one site from which a factor counts as seen at all.
        biology_loss: share of that R2 that may be lost.
    """

    probes: ProbeSettings
    divisions: int
    overlap_minimum: float
    least_r2: float
    biology_loss: float


@dataclass(frozen=True)
class Judged:
    """Features of patients who were scanned everywhere.

    Attributes:
        features: (patients, sites, features), NaN where missing.
        seen: (patients,) index of the site that the study sees the patient at.
        target: index of the site that gives the truth.
    """

    features: np.ndarray
    seen: np.ndarray
    target: int


def sent_to(factor: Sequence[float], correlation: float, sites: int, seed: int) -> np.ndarray:
    """Site index (patients,) of every patient, equally many for each site.

    Sites are thirds (for three) of a score whose correlation with the factor's normal score is
    `correlation` (a Gaussian copula, as in the polyserial correlation: Olsson, Psychometrika 1982).

    Args:
        factor: (patients,) values; correlation: 0 to 1; sites: how many; seed: of the chance part.
    """
    count = len(factor)
    score = norm.ppf((rankdata(factor) - 0.5) / count)
    chance = np.random.default_rng(seed).standard_normal(count)
    drawn = correlation * score + np.sqrt(1.0 - correlation**2) * chance
    return (np.argsort(np.argsort(drawn)) * sites) // count


def stacked_features(table: pd.DataFrame, sites: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Features (patients, sites, features) of the patients that every site has, and their ids.

    Args:
        table: site, subject and one column per feature; the features that some site lacks for
            more than half of its patients are left out.
        sites: in the order of the second axis.
    """
    names = [name for name in table.columns if name not in KEYS]
    known = table[names].notna().groupby(table["site"]).mean().min()
    names = [name for name in names if known[name] > 0.5]
    wide = [table[table["site"] == site].set_index("subject")[names] for site in sites]
    shared = sorted(set.intersection(*(set(part.index) for part in wide)))
    return np.stack([part.loc[shared].to_numpy(float) for part in wide], axis=1), shared


def retained(judged: Judged, values: np.ndarray, how: ConfoundingSettings) -> dict[str, Estimate]:
    """`truth` and `study`: R2 of a factor out of fold; `kept`: the latter as a share of the first.

    Probes are fitted on the training fold's patients as the study sees them and judged on the
    others at every site; the truth's are fitted and judged on scans of the target site.

    Args:
        judged: features; values: (patients,) the factor; how: settings.
    """
    squares = [
        _squares(judged, values, how, how.probes.seed + part) for part in range(how.divisions)
    ]
    own, mean, truth, truth_mean = np.mean(squares, axis=0)
    count = len(values)
    weights = subject_weights(
        np.arange(count).astype(str), how.probes.bootstrap_repeats, how.probes.seed
    )
    drawn = {
        "truth": 1 - (weights @ truth) / (weights @ truth_mean),
        "study": 1 - (weights @ own) / (weights @ mean),
    }
    value = {"truth": 1 - truth.sum() / truth_mean.sum(), "study": 1 - own.sum() / mean.sum()}
    found = {name: interval(drawn[name], float(value[name]), count) for name in drawn}
    with np.errstate(divide="ignore", invalid="ignore"):
        share = drawn["study"] / drawn["truth"]
    return found | {"kept": interval(share, float(value["study"] / value["truth"]), count)}


def confounding_rows(
    methods: dict[str, Judged],
    factors: pd.DataFrame,
    sites: Sequence[str],
    how: ConfoundingSettings,
) -> list[dict[str, object]]:
    """Rows method, factor, n, overlap, r2_truth, r2, kept, ci_low, ci_high, answer.

    Args:
        methods: name -> features of the same patients.
        factors: one numeric column per factor, rows in the order of the patients.
        sites: names; how: settings.
    """
    rows = []
    for name, judged in methods.items():
        seen = np.asarray(sites, dtype=str)[judged.seen]
        overlap = _least_overlap(factors, seen, how)
        for factor in factors:
            found = retained(judged, factors[factor].to_numpy(float), how)
            named = {"method": name, "factor": factor, "n": found["kept"].n}
            named["overlap"] = overlap[factor]
            rows.append(named | _answered(found, overlap[factor], how))
    return rows


def _answered(found: dict[str, Estimate], overlap: float, how: ConfoundingSettings) -> dict:
    truth, study, kept = found["truth"], found["study"], found["kept"]
    row = {"r2_truth": truth.value, "r2": study.value}
    blank = {"kept": np.nan, "ci_low": np.nan, "ci_high": np.nan}
    if not truth.value >= how.least_r2:
        return row | blank | {"answer": NO_SIGNAL}
    if overlap < how.overlap_minimum:
        return row | {"r2": np.nan} | blank | {"answer": NO_OVERLAP}
    bar = 1.0 - how.biology_loss
    answer = KEPT if kept.value >= bar else OPEN if kept.high >= bar else LOST
    return row | {"kept": kept.value, "ci_low": kept.low, "ci_high": kept.high, "answer": answer}


def _least_overlap(
    factors: pd.DataFrame, seen: np.ndarray, how: ConfoundingSettings
) -> dict[str, float]:
    """Overlap of every factor between the two sites that share least."""
    patients = [str(number) for number in range(len(factors))]
    columns = {str(name): factors[name] for name in factors}
    table = overlap_table(columns, seen, patients, how.overlap_minimum)
    return table.groupby("factor")["overlap"].min().to_dict()


def _squares(judged: Judged, values: np.ndarray, how: ConfoundingSettings, seed: int) -> np.ndarray:
    """(4, patients) squared errors: study, its training mean, truth, its training mean."""
    count, sites = judged.features.shape[:2]
    seen = judged.features[np.arange(count), judged.seen]
    at_target = judged.features[:, judged.target]
    found = np.zeros((4, count))
    for train, test in KFold(how.probes.folds, shuffle=True, random_state=seed).split(values):
        everywhere = judged.features[test].reshape(len(test) * sites, -1)
        probe = ridge_probe().fit(seen[train], values[train])
        errors = probe.predict(everywhere).reshape(len(test), sites) - values[test, None]
        single = ridge_probe().fit(at_target[train], values[train])
        missed = np.square(values[test] - values[train].mean())
        alone = np.square(single.predict(at_target[test]) - values[test])
        found[:, test] = np.square(errors).mean(1), missed, alone, missed
    return found
