"""Sections on what can still be read from the scans, and how far apart the sites lie."""

import math

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures
from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.agreement import method_table
from ctharmony.evaluation.report.blocks import (
    Cell,
    Drawing,
    Section,
    Table,
    Text,
    download,
    drawing,
    file_name,
    table,
)
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.verdict import BIOLOGY, Change, changes
from ctharmony.evaluation.report.words import STAGES, estimate, method_label, metric_label, written

SCANNER = ("site_auc_", "maker_auc_", "kernel_auc_")
DISTANCES = {"js_nats": "Jensen-Shannon (nats)", "wasserstein_hu": "Wasserstein-1 (HU)"}
MOST_SITES = 30  # in a matrix that can be read
LEAST = -0.5  # R2 drawn: below 0 a trait could not be read, however far below


def probes_section(model: ModelRecord) -> Section:
    """Site probes and biology probes, before and after."""
    section = Section("probes", "Scanner gone, patient kept",
        "What a classifier can still read: the site (should fall) and the patient (should "
        "stay).", short="Scanner and patient")  # fmt: skip
    metrics = model.metrics
    section.blocks.extend(change_drawing(changes(metrics, SCANNER), "area under the ROC curve", 0.5,
        "Can the site be told? Hollow circle before, diamond after with its 95% interval; the "
        "dashed line is a guess. Diamonds should move left to it."))  # fmt: skip
    section.blocks.extend(change_drawing(changes(metrics, BIOLOGY), "R2 or area under the curve",
        None, "Can the patient's traits be read? Diamonds should stay where the circles are; left "
        "of them biology was lost. R2 of 0 or less means that it could not be read; far "
        "below is cut off."))  # fmt: skip
    for stage in STAGES if len(metrics) else ():
        rows = metrics[(metrics["stage"] == stage)]
        rows = rows[rows["metric"].str.startswith((*SCANNER, *BIOLOGY, "effect_bias_"))]
        if len(rows):
            section.blocks.append(_probe_table(rows, stage))
    section.blocks.extend(_significance(model))
    section.blocks.extend(_overlap(model))
    return section


def change_drawing(
    found: list[Change], x: str, reference: float | None, caption: str, least: float | None = LEAST
) -> list[Drawing | Text]:
    """Metrics before and after with intervals, under a caption that begins with a question."""
    question = caption.partition("?")[0] + "?"
    if not found:
        return [Text(f"{question} Not known both before and after.", "note")]
    rows = [
        {
            "label": f"{metric_label(change.metric)} ({change.stage})",
            "before": change.before.value,
            "after": change.after.value,
            "low": change.after.low,
            "high": change.after.high,
        }
        for change in found
    ]
    return [
        drawing(
            figures.dumbbells(rows, x, reference, least), f"{question} Before and after", caption
        )
    ]


def _probe_table(rows: pd.DataFrame, stage: str) -> Table:
    methods, body = list(dict.fromkeys(rows["method"])), []
    for name in dict.fromkeys(rows["metric"]):
        values = [estimate(rows, name, method, stage) for method in methods]
        size = next((v.n for v in values if v and math.isfinite(v.n)), math.nan)
        cells = [Cell(written(value, False) if value else "–") for value in values]
        counted = Cell("–" if math.isnan(size) else f"{size:.0f}")
        body.append([Cell(metric_label(name)), *cells, counted])
    title = f"Probes on {STAGES[stage]}"
    caption = "Out of fold, split by subject, with 95% bootstrap intervals; n counts subjects."
    columns = ["probe", *(method_label(method) for method in methods), "n"]
    return Table(title, caption, columns, body, download(rows), file_name(title))


def _significance(model: ModelRecord) -> list[Table]:
    """p- and q-values of every probe, and of every feature's difference between sites."""
    found = []
    probes = model.tables.get("probes", pd.DataFrame())
    names = ("question", "method", "stage", "part", "probe", "value", "p_value", "q_value", "n")
    if set(names) <= set(probes.columns) and len(probes):
        caption = (
            "p: how often shuffled labels score as well. q (Benjamini-Hochberg): the share of "
            "false findings among all probes at least as sure as this one; up to 0.05 counts."
        )
        labels = {name: name.replace("_", " ") for name in names}
        found.append(table("Every probe with p and q", caption, probes, labels, probes))
    features = model.tables.get("feature_differences", pd.DataFrame())
    if {"feature", "method", "q_value", "n"} <= set(features.columns) and len(features):
        caption = (
            "Kruskal-Wallis test between sites over subjects seen at one site; q over all "
            "features of a method. Patients differ between sites, too."
        )
        labels = {name: str(name).replace("_", " ") for name in features.columns}
        title = "Features that differ between sites"
        found.append(table(title, caption, features, labels, features))
    return found


def _overlap(model: ModelRecord) -> list[Table]:
    frame = model.tables.get("overlap", pd.DataFrame())
    if not {"factor", "first_site", "second_site", "overlap"} <= set(frame.columns) or frame.empty:
        return []
    labels = {name: str(name).replace("_", " ") for name in frame.columns}
    caption = (
        "How much the sites' patients overlap in each trait, 0 to 1. Where they do not, scanner "
        "and patient cannot be told apart, and no number is given."
    )
    return [table("Overlap of the sites' patients", caption, frame, labels, frame)]


def distance_section(study: StudyRecord, model: ModelRecord) -> Section:
    """Distances between the sites' distributions as matrices, before and after."""
    section = Section("distances", "Distance between sites",
        "How far apart the sites' grey values lie, before and after.",
        short="Distances")  # fmt: skip
    frame = model.tables.get("site_divergence", pd.DataFrame())
    drawn = [
        _matrices(study, frame, column, label)
        for column, label in DISTANCES.items()
        if {"method", "site_a", "site_b", column} <= set(frame.columns) and len(frame)
    ]
    section.blocks.extend(drawn if len(study.sites) <= MOST_SITES else [])
    if not section.blocks:
        why = "There are too many sites to draw" if drawn else "Nothing was measured to draw"
        section.blocks.append(Text(f"{why} a matrix of site pairs.", "note"))
    known = set(model.metrics["metric"]) if len(model.metrics) else set()
    names = [name for name in DISTANCES if name in known]
    if names:
        title = "Distance between sites, all methods"
        caption = "Mean over all pairs of sites, with its 95% confidence interval."
        section.blocks.append(method_table(model.metrics, names, title, caption))
    return section


def _matrices(study: StudyRecord, frame: pd.DataFrame, column: str, label: str) -> Drawing:
    tables = {}
    for method, title in (("none", "before"), (OURS, "after")):
        rows = frame[frame["method"] == method]
        if len(rows):
            wide = rows.pivot_table(index="site_a", columns="site_b", values=column)
            half = wide.reindex(index=study.site_names, columns=study.site_names).to_numpy()
            full = np.where(np.isnan(half), half.T, half)
            np.fill_diagonal(full, 0.0)
            tables[title] = full
    figure = figures.matrices(tables, study.site_names, label)
    caption = f"{label} of the sites' HU histograms, pair by pair; darker is further apart."
    return drawing(figure, label, caption, wide=True)
