"""What a reader must beware of, and what the study cannot answer."""

import math

import pandas as pd

from ctharmony.evaluation.report.record import OURS, ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.verdict import BIOLOGY, PROBES, changes, ranking
from ctharmony.evaluation.report.words import (
    direction,
    estimate,
    method_label,
    metric_label,
    number,
    written,
)

COMPARED = ("paired_mae_hu", "clean_mae_hu", "paired_psnr_db", "paired_ssim", "nps_distance")


def warnings(study: StudyRecord, model: ModelRecord, settings: ReportSettings) -> list[str]:
    """Sentences in the order of their weight; empty where nothing was found."""
    return [
        *_beaten(model),
        *_worse(model, settings),
        *_shifted(model, settings),
        *_collapsed(model),
        *_set_aside(study, model),
        *_misaligned(study, settings),
        *_weak(model, settings),
    ]


def unanswered(study: StudyRecord, model: ModelRecord) -> list[str]:
    """Questions without an answer, each with its reason."""
    found = []
    metrics = model.metrics
    if metrics.empty:
        return [f"Nothing: the evaluation of {model.name} holds no metrics."]
    if not ranking(metrics, "paired_mae_hu", "image"):
        found.append("Agreement with the target scanner: no patient was scanned at two sites.")
    if not changes(metrics, PROBES):
        found.append("Whether the scanner can be told: no site probe before and after.")
    if not changes(metrics, BIOLOGY):
        found.append("Whether biology was kept: no covariate known before and after.")
    lost = metrics[~metrics["value"].map(lambda value: math.isfinite(float(value)))]
    for name in dict.fromkeys(lost["metric"]):
        rows = lost[lost["metric"] == name]
        where = ", ".join(dict.fromkeys(f"{method_label(m)}" for m in rows["method"]))
        found.append(f"{metric_label(name).capitalize()}: no value for {where}{_reason(rows)}.")
    if study.scans.empty or _without_lungs(study.scans):
        found.append("Emphysema scores of scans in which no lung was found.")
    return found


def _reason(rows: pd.DataFrame) -> str:
    reasons = [str(r) for r in rows.get("reason", pd.Series(dtype=str)).dropna().unique() if r]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _without_lungs(scans: pd.DataFrame) -> bool:
    return "lung_volume_ml" in scans and bool((scans["lung_volume_ml"].fillna(0) <= 0).any())


def _beaten(model: ModelRecord) -> list[str]:
    found = []
    for metric in COMPARED:
        values = ranking(model.metrics, metric, "image")
        ours = values.pop(OURS, None)
        if ours is None:
            continue
        sign = direction(metric)
        ahead = {n: v for n, v in values.items() if sign * (v.value - ours.value) > 0}
        if ahead:
            best = max(ahead, key=lambda name: sign * ahead[name].value)
            found.append(
                f"{method_label(best).capitalize()} does better than ours in {metric_label(metric)}: "
                f"{written(ahead[best])} against {written(ours)}."
            )
    return found


def _worse(model: ModelRecord, settings: ReportSettings) -> list[str]:
    lost = [c for c in changes(model.metrics, BIOLOGY) if c.gain < -settings.biology_loss]
    return [
        f"Less can be read of the patient: {metric_label(c.metric)} from {c.stage} fell from "
        f"{number(c.before.value)} to {written(c.after)}."
        for c in lost
    ]


def _shifted(model: ModelRecord, settings: ReportSettings) -> list[str]:
    shift = estimate(model.metrics, "tissue_shift_hu", OURS, "image")
    limit = settings.tissue_shift_limit_hu
    if shift is None or not shift.known or abs(shift.value) <= limit:
        return []
    return [f"Tissue means moved by {written(shift)}; more than {limit:g} HU is warned of."]


def _collapsed(model: ModelRecord) -> list[str]:
    units = estimate(model.metrics, "active_units", OURS, "latent")
    if units is None or not units.known or units.value > 0:
        return []
    return ["The posterior collapsed: no latent unit carries information (active units 0)."]


def _set_aside(study: StudyRecord, model: ModelRecord) -> list[str]:
    found = []
    tables = (
        ("ingested", study.scans),
        ("registered", study.registration),
        ("harmonized", model.harmonized),
    )
    for stage, table in tables:
        count = int((table["status"] == "set_aside").sum()) if "status" in table else 0
        if count:
            were = "scan was" if count == 1 else "scans were"
            found.append(f"{count} {were} set aside when {stage}; the reasons stand in the tables.")
    return found


def _misaligned(study: StudyRecord, settings: ReportSettings) -> list[str]:
    table = study.registration
    if "coverage" not in table:
        return []
    low = table[table["coverage"] < settings.coverage_limit]
    if low.empty:
        return []
    names = ", ".join(f"{r.site}/{r.scan}" for r in low.head(5).itertuples())
    more = f" and {len(low) - 5} more" if len(low) > 5 else ""
    return [
        f"Registration covers under {settings.coverage_limit:.0%} of the template: {names}{more}."
    ]


def _weak(model: ModelRecord, settings: ReportSettings) -> list[str]:
    pairs = estimate(model.metrics, "paired_mae_hu", OURS, "image")
    if pairs is None or not pairs.n < settings.few:
        return []
    return [f"Agreement rests on {pairs.n:.0f} pairs only; its interval is wide for that reason."]
