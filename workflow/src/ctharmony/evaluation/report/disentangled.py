"""MIG, SAP and DCI of a model's latents with their spread over splits and over seeds."""

import numpy as np
import pandas as pd

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.blocks import Table, table
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.seeds import group_of, spread
from ctharmony.evaluation.report.words import estimate, metric_label

DISENTANGLED = {
    "mig": "how far the best latent of a factor leads the second, 0 to 1",
    "sap": "the same in R2",
    "dci_disentanglement": "1: every latent stands for one factor",
    "dci_completeness": "1: every factor sits in one latent",
    "dci_informativeness": "R2 with which the latents tell the factors of unseen subjects",
}
LABELS = {
    "score": "score", "value": "value", "sd": "SD over splits", "n": "subjects",
    "seeds_mean": "mean over seeds", "seeds_sd": "SD over seeds", "seeds_low": "lowest",
    "seeds_high": "highest", "seeds": "seeds", "reading": "how to read it",
}  # fmt: skip
CAPTION = (
    "Of all latents against the site and the known factors. SD over splits of the subjects and "
    "seeds of the forests is the estimator's spread. "
)
ALONE = (
    "How far models of other seeds would differ is not known: train one more with a `seed` of its "
    "own."
)


def disentanglement(study: StudyRecord, model: ModelRecord) -> list[Table]:
    """The scores of a model, beside their spread over the models that differ in seed alone."""
    group = group_of(model, study.models)
    rows = []
    for name, reading in DISENTANGLED.items():
        value, sd = (
            estimate(model.metrics, metric, OURS, "latent") for metric in (name, f"{name}_sd")
        )
        if value is not None and value.known:
            row = {"score": metric_label(name), "value": value.value, "n": value.n}
            row["sd"] = sd.value if sd is not None else np.nan
            apart = None if group is None else spread(group, name, "latent")
            if apart is not None:
                row |= {"seeds_mean": apart.mean, "seeds_sd": apart.sd, "seeds_low": apart.low,
                        "seeds_high": apart.high, "seeds": apart.n}  # fmt: skip
            rows.append(row | {"reading": reading})
    if not rows:
        return []
    told = ALONE if group is None else (
        "Over seeds: models that differ in seed alone, "
        f"{', '.join(one.name for one in group.models)}."
    )  # fmt: skip
    frame = pd.DataFrame(rows)
    return [table(f"Disentanglement, {model.name}", CAPTION + told, frame, LABELS, frame)]
