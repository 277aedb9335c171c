"""Rows of metrics.tsv on disentanglement: MIG, SAP and DCI of all latents."""

import numpy as np
import pandas as pd

from ctharmony.evaluation.bootstrap import exact
from ctharmony.evaluation.disentanglement import (
    dci,
    mutual_information_gap,
    separated_predictability,
)
from ctharmony.evaluation.metrics import metric_row
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.tables import FeatureSet, aligned


def disentanglement_rows(
    latents: FeatureSet, factors: pd.DataFrame, how: ProbeSettings
) -> list[dict[str, object]]:
    """MIG, SAP and DCI of all latents against the site and the factors that every scan knows."""
    table = aligned(factors, latents.scans)
    table = table.loc[:, table.notna().all()]
    site = pd.factorize(latents.sample.sites, sort=True)[0].astype(float)
    known = np.column_stack([site, table.to_numpy(dtype=float)])
    values = latents.sample.features
    subjects = len(set(latents.sample.subjects))
    if len(values) < 2 * how.folds or values.shape[1] < 2:
        return []
    score = dci(values, known, how.folds, how.seed)
    found = {
        "mig": mutual_information_gap(values, known),
        "sap": separated_predictability(values, known),
        "dci_disentanglement": score.disentanglement,
        "dci_completeness": score.completeness,
        "dci_informativeness": score.informativeness,
    }
    return [
        metric_row(name, latents.method, "latent", exact(value, subjects))
        for name, value in found.items()
    ]
