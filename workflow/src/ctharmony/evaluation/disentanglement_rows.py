"""Rows of metrics.tsv on disentanglement: MIG, SAP and DCI of all latents."""

import numpy as np
import pandas as pd

from ctharmony.evaluation.bootstrap import exact
from ctharmony.evaluation.disentanglement import (
    dci,
    mutual_information_gap,
    separated_predictability,
    splits_of,
)
from ctharmony.evaluation.metrics import metric_row
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.tables import FeatureSet, aligned


def disentanglement_rows(
    latents: FeatureSet, factors: pd.DataFrame, how: ProbeSettings
) -> list[dict[str, object]]:
    """MIG, SAP and DCI of all latents against the site and the factors that every scan knows.

    `..._sd` is a score's SD over splits by subject: the estimator's spread, not that of models
    trained from other seeds.
    """
    table = aligned(factors, latents.scans)
    table = table.loc[:, table.notna().all()]
    site = pd.factorize(latents.sample.sites, sort=True)[0].astype(float)
    known = np.column_stack([site, table.to_numpy(dtype=float)])
    values = latents.sample.features
    subjects = len(set(latents.sample.subjects))
    if len(values) < 2 * how.folds or values.shape[1] < 2 or subjects < 2:
        return []
    splits = splits_of(latents.sample.subjects, how.folds, how.seed)
    score, spread = dci(values, known, splits, how.seed)
    found = {
        "dci_disentanglement": (score.disentanglement, spread.disentanglement),
        "dci_completeness": (score.completeness, spread.completeness),
        "dci_informativeness": (score.informativeness, spread.informativeness),
    }
    for name, measure in (("mig", mutual_information_gap), ("sap", separated_predictability)):
        parts = [measure(values[~held], known[~held]) for held in splits]
        found[name] = (measure(values, known), float(np.std(parts, ddof=1)))
    return [
        metric_row(name + ending, latents.method, "latent", exact(value, subjects))
        for name, pair in found.items()
        for ending, value in zip(("", "_sd"), pair, strict=True)
    ]
