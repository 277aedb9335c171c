"""Section on a sweep: the models of a study against one another."""

from typing import Any

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.blocks import Drawing, Section, Text, drawing, table
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.seeds import SeedGroup, seed_groups, seed_tables
from ctharmony.evaluation.report.words import estimate, metric_label

# what is spent and missed, as metrics.tsv or else the training's history name it
RATE = ("rate_nats", ("rate_biology", "rate_scanner"))
DISTORTION = ("distortion_nats", ("reconstruction",))
COMPARED = {
    "paired_mae_hu": "image",
    "clean_mae_hu": "image",
    "site_auc_forest": "image",
    "nps_distance": "image",
    "active_units": "latent",
}


def sweep_section(study: StudyRecord) -> Section | None:
    """Rate against distortion and the main measures of every model; None for a single model."""
    if len(study.models) < 2:
        return None
    section = Section("models", "Models compared",
        "What each model of the sweep spends (rate) and misses (distortion).")  # fmt: skip
    rows = []
    for model in study.models:
        spent = {"rate": _spent(model, *RATE), "distortion": _spent(model, *DISTORTION)}
        found = {k: estimate(model.metrics, k, OURS, stage) for k, stage in COMPARED.items()}
        values = {k: np.nan if v is None else v.value for k, v in found.items()}
        rows.append({"model": model.name, **spent, **values})
    groups = seed_groups(study.models)
    section.blocks.append(_plane(rows, groups))
    frame = pd.DataFrame(rows)
    labels = {"model": "model", "rate": "rate (nats)", "distortion": "distortion (nats)"}
    labels |= {name: metric_label(name) for name in COMPARED}
    section.blocks.append(table("Models", "One row per model.", frame, labels, frame))
    section.blocks.extend(seed_tables(groups))
    return section


def _plane(rows: list[dict[str, Any]], groups: list[SeedGroup]) -> Drawing | Text:
    """Rate against distortion, the models of one group under one mark."""
    marks = {model.name: group.name for group in groups for model in group.models}
    points: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        if np.isfinite([row["rate"], row["distortion"]]).all():
            across, up = points.setdefault(marks.get(row["model"], row["model"]), ([], []))
            across.append(row["rate"])
            up.append(row["distortion"])
    if not points:
        return Text("Rate and distortion of the models are not known.", "note")
    figure = figures.scatter(points, "rate (nats)", "distortion (nats)", labelled=True)
    caption = (
        "Lower left is better. Models along one falling curve trade detail for a simpler "
        "latent; a model above the curve wastes its nats."
    )
    if groups:
        caption += " Points of one mark differ in their seed alone."
    return drawing(figure, "Rate against distortion of each model", caption)


def _spent(model: ModelRecord, metric: str, terms: tuple[str, ...]) -> float:
    """A metric's value, or the sum of the history's last validation values of these terms."""
    told = estimate(model.metrics, metric, OURS, "latent")
    if told is not None and told.known:
        return told.value
    history = model.history
    if not {"epoch", "term", "split", "value"} <= set(history.columns):
        return float("nan")
    own = history[history["term"].isin(terms) & (history["split"] == "validation")]
    last = own.sort_values("epoch").groupby("term")["value"].last()
    return float(last.sum()) if len(last) == len(terms) else float("nan")
