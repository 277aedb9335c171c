"""Models that differ in their seed alone, and how far their measures lie apart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.blocks import Table, table
from ctharmony.evaluation.report.record import ModelRecord
from ctharmony.evaluation.report.words import STAGES, estimate, metric_label, unit_name

# (metric, stage) whose spread is told, where metrics.tsv knows them
MEASURES = (
    ("mig", "latent"),
    ("sap", "latent"),
    ("dci_disentanglement", "latent"),
    ("dci_completeness", "latent"),
    ("dci_informativeness", "latent"),
    ("paired_mae_hu", "image"),
    ("clean_mae_hu", "image"),
    ("nps_distance", "image"),
    ("site_auc_forest", "image"),
    ("site_auc_forest", "features"),
    ("site_auc_linear", "latent"),
    ("site_auc_forest", "latent"),
    ("rate_nats", "latent"),
    ("distortion_nats", "latent"),
    ("mutual_information_nats_biology", "latent"),
    ("mutual_information_nats_scanner", "latent"),
)
PLACES = {"latent": "latents", "image": STAGES["image"], "features": STAGES["features"]}


@dataclass(frozen=True)
class SeedGroup:
    """Models trained alike but for their seed, one for each seed, in config order."""

    models: tuple[ModelRecord, ...]

    @property
    def name(self) -> str:
        """The first model's name and how many seeds there are."""
        return f"{self.models[0].name} ({len(self.models)} seeds)"


@dataclass(frozen=True)
class Spread:
    """A measure over the seeds that know it: mean, SD (n - 1), lowest, highest, n and unit."""

    mean: float
    sd: float
    low: float
    high: float
    n: int
    unit: str


def seed_groups(models: Sequence[ModelRecord]) -> list[SeedGroup]:
    """Groups of two or more models whose cards tell one training and several seeds.

    Trained alike means equal settings, sites and scans. Of two models with one seed the first
    counts: they are one training.
    """
    found: dict[str, dict[object, ModelRecord]] = {}
    for model in models:
        card = model.card
        if {"settings", "seed"} <= set(card):
            alike = [card["settings"], sorted(card.get("sites", ())), card.get("scans")]
            key = json.dumps([*alike, card.get("subjects")], sort_keys=True)
            found.setdefault(key, {}).setdefault(card["seed"], model)
    return [SeedGroup(tuple(own.values())) for own in found.values() if len(own) > 1]


def group_of(model: ModelRecord, models: Sequence[ModelRecord]) -> SeedGroup | None:
    """The group that a model belongs to, or None."""
    groups = seed_groups(models)
    return next((g for g in groups if any(one is model for one in g.models)), None)


def spread(group: SeedGroup, metric: str, stage: str) -> Spread | None:
    """How far a metric of our method lies apart over the seeds; None under two values."""
    told = [estimate(model.metrics, metric, OURS, stage) for model in group.models]
    known = [one for one in told if one is not None and one.known]
    if len(known) < 2:
        return None
    values = np.array([one.value for one in known])
    ends = float(values.min()), float(values.max())
    return Spread(float(values.mean()), float(values.std(ddof=1)), *ends, len(known), known[0].unit)


def seed_tables(groups: Sequence[SeedGroup]) -> list[Table]:
    """A table for each group: mean, SD and range of every measure over the seeds."""
    labels = {"measure": "measure", "of": "of", "mean": "mean", "sd": "SD", "low": "lowest",
              "high": "highest", "unit": "unit", "n": "seeds"}  # fmt: skip
    found = []
    for group in groups:
        frame = pd.DataFrame(_rows(group))
        if len(frame):
            names = ", ".join(model.name for model in group.models)
            caption = (
                f"Models that differ in their seed alone: {names}. SD over the seeds (n - 1): what "
                "lies within it is luck of training. Intervals elsewhere are over patients."
            )
            title = f"Spread over seeds, {group.models[0].name}"
            found.append(table(title, caption, frame, labels, frame))
    return found


def _rows(group: SeedGroup) -> list[dict[str, object]]:
    rows = []
    for metric, stage in MEASURES:
        one = spread(group, metric, stage)
        if one is not None:
            row = {"metric": metric, "measure": metric_label(metric), "of": PLACES[stage]}
            rows.append(row | {**vars(one), "unit": unit_name(one.unit)})
    return rows
