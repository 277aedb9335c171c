"""Where the site's signature sits in the image features, before and after, as evidence.tsv."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ctharmony.evaluation.explanation import feature_evidence
from ctharmony.evaluation.probes import ProbeSettings, linear_probe, refusal, subject_folds
from ctharmony.evaluation.tables import FeatureSet, aligned

COLUMNS = ("method", "site", "evidence", "kl_nats", "n")


def evidence_groups(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns by what they measure: grey values of a region, or one frequency band of a curve.

    `image_body_q50` belongs to `image_body`, `image_nps_3` is a group by itself.
    """
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(re.sub(r"_q\d+$", "", name), []).append(index)
    return {name: np.array(columns) for name, columns in groups.items()}


def band_evidence_table(
    sets: Sequence[FeatureSet], site_of: pd.Series, how: ProbeSettings
) -> pd.DataFrame:
    """Mean evidence of every group of features for the linear site probe, by site and method.

    Each scan is explained by a probe that never saw its subject; evidence is replaced by the
    training median.
    """
    rows = []
    for features in sets:
        labels = aligned(site_of.rename("site").reset_index(), features.scans)["site"]
        known = labels.to_numpy(dtype=str)
        if refusal(known, features.sample.subjects, how) or not features.names:
            continue
        found = _out_of_fold(features, known, how)
        for name, values in found.items():
            for site in np.unique(known):
                own = values[known == site]
                rows.append((features.method, site, name, float(own.mean()), len(own)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _out_of_fold(
    features: FeatureSet, labels: np.ndarray, how: ProbeSettings
) -> dict[str, np.ndarray]:
    groups = evidence_groups(features.names)
    found = {name: np.zeros(len(labels)) for name in groups}
    folds = subject_folds(labels, features.sample.subjects, how)
    for number in np.unique(folds):
        held = folds == number
        train, test = features.sample.fold(held)
        usual = np.nanmedian(np.where(np.isfinite(train).any(0), train, 0.0), axis=0)
        filled = np.where(np.isfinite(test), test, usual)
        model = linear_probe(how).fit(train, labels[~held])
        part = feature_evidence(model.predict_proba, filled, groups, usual)
        for name, values in part.items():
            found[name][held] = values
    return found
