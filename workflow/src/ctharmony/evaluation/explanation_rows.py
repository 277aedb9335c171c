"""Where a probe's evidence sits, before and after, as evidence.tsv."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ctharmony.evaluation.explanation import evidence, without_features
from ctharmony.evaluation.feature_harmonizers import fill_missing
from ctharmony.evaluation.probes import ProbeSettings, linear_probe, refusal, subject_folds
from ctharmony.evaluation.tables import FeatureSet

COLUMNS = ("question", "probe", "method", "site", "evidence", "kl_nats", "gain_nats", "n")


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

    Each scan is explained by a probe that never saw its subject; what is taken away is replaced
    by the training median. `kl_nats` is how much the group moves the probe's answer, `gain_nats`
    how much of that is toward the true site.
    """
    rows = []
    for features in sets:
        known = site_of.reindex(list(features.scans)).to_numpy(dtype=str)
        if refusal(known, features.sample.subjects, how) or not features.names:
            continue
        for name, values in _out_of_fold(features, known, how).items():
            for site in np.unique(known):
                own = values[known == site]
                words = ("site", "linear", features.method, site, name)
                rows.append((*words, *own.mean(axis=0), len(own)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evidence_frames(
    whole: np.ndarray,
    removed: Iterable[tuple[str, np.ndarray]],
    truth: np.ndarray,
    places: Mapping[str, np.ndarray],
) -> Iterator[pd.DataFrame]:
    """Frames for `mean_by_site`, one for each kind of evidence taken away.

    Args:
        whole: (n, classes) probabilities about whole patches.
        removed: kinds of evidence and the probabilities (n, classes) without them.
        truth: (n,) column of the true class; places: `scan` and `site` (n,) of every patch.
    """
    for name, without in removed:
        moved = evidence(whole, without, truth)
        content = {**places, "evidence": name}
        yield pd.DataFrame(content | {"kl_nats": moved.kl, "gain_nats": moved.gain})


def mean_by_site(
    parts: Sequence[pd.DataFrame], method: str, question: str, probe: str
) -> pd.DataFrame:
    """Evidence of patches as rows of evidence.tsv: means over a scan's, then over a site's scans.

    Args:
        parts: frames with scan, site, evidence, kl_nats and gain_nats, one row per patch.
        method, question, probe: what all are about.
    """
    kinds = ["site", "evidence"]
    found = pd.concat(parts, ignore_index=True)
    by_scan = found.groupby([*kinds, "scan"], sort=False, as_index=False).mean()
    table = by_scan.groupby(kinds, sort=False, as_index=False).agg(
        kl_nats=("kl_nats", "mean"), gain_nats=("gain_nats", "mean"), n=("scan", "size")
    )
    return table.assign(question=question, probe=probe, method=method)[list(COLUMNS)]


def joined(tables: Sequence[pd.DataFrame], columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Tables, one under the other; empty ones are passed over. `columns`: if all are."""
    known = [table for table in tables if len(table)]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=list(columns))


def _out_of_fold(
    features: FeatureSet, labels: np.ndarray, how: ProbeSettings
) -> dict[str, np.ndarray]:
    """Group -> (scans, 2) evidence and gain."""
    groups = evidence_groups(features.names)
    found = {name: np.zeros((len(labels), 2)) for name in groups}
    folds = subject_folds(labels, features.sample.subjects, how)
    for number in np.unique(folds):
        held = folds == number
        train, test = fill_missing(*features.sample.fold(held))
        model = linear_probe(how).fit(train, labels[~held])
        truth = np.searchsorted(model.classes_, labels[held])
        usual, whole = np.median(train, axis=0), model.predict_proba(test)
        for name, columns in groups.items():
            without = model.predict_proba(without_features(test, columns, usual))
            found[name][held] = np.column_stack(evidence(whole, without, truth))
    return found
