"""What a reader must beware of, and what the study cannot answer."""

import math
import re

import pandas as pd

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.record import ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.verdict import BIOLOGY, PROBES, changes, ranking, readable
from ctharmony.evaluation.report.words import (
    direction,
    estimate,
    method_label,
    metric_label,
    number,
    spoken,
    written,
)

COMPARED = (
    "paired_mae_hu", "clean_mae_hu", "paired_psnr_db", "paired_ssim", "nps_distance",
    "tissue_shift_hu", "js_nats", "wasserstein_hu",
)  # fmt: skip
LOST = ("set_aside", "failed")
FAULTS = "image"  # question of the notes on images that could not be measured
FEATURES = "features"  # question of the notes on features that a site does not know
FEATURE_NAME = re.compile(r"\b(?:image|body|lung)_\w+")
SHOWN = 4  # names or reasons written out before the rest is counted
HEALTHY = "healthy"
FEW_SCANS = 3  # of a site: below, the onboarding study's errors rise


def warnings(study: StudyRecord, model: ModelRecord, settings: ReportSettings) -> list[str]:
    """Sentences in the order of their weight; empty where nothing was found."""
    return [
        *_beaten(model),
        *_worse(model, settings),
        *_shifted(model, settings),
        *_collapsed(model),
        *_lost(study, model),
        *_refused(model),
        *_misaligned(study, settings),
        *_hardly_known(model),
        *_weak(model, settings),
    ]


def unanswered(study: StudyRecord, model: ModelRecord) -> list[str]:
    """Questions without an answer, each with its reason."""
    metrics = model.metrics
    if metrics.empty:
        return [f"Anything: the evaluation of {model.name} holds no metrics."]
    found = []
    if not ranking(metrics, "paired_mae_hu", "image"):
        found.append(f"Agreement with the target scanner: {_no_pairs(study.scans)}.")
    if not changes(metrics, PROBES):
        found.append("Whether the scanner can be told: no site probe before and after.")
    if not readable(changes(metrics, BIOLOGY)):
        found.append("Whether biology was kept: no trait could be read before and after.")
    found += _noted(model.tables.get("notes", pd.DataFrame()))
    noted = set(model.tables["notes"]["question"]) if "notes" in model.tables else set()
    lost = metrics[~metrics["value"].map(lambda value: math.isfinite(float(value)))]
    for name in dict.fromkeys(lost["metric"]):
        if name not in noted:
            where = ", ".join(method_label(m) for m in lost.loc[lost["metric"] == name, "method"])
            found.append(f"{_opened(metric_label(name))}: no value for {where}.")
    if "lung_volume_ml" in study.scans and (study.scans["lung_volume_ml"].fillna(0) <= 0).any():
        found.append("Emphysema scores of scans in which no lung was found.")
    return found


def _no_pairs(scans: pd.DataFrame) -> str:
    known = {"subject", "site"} <= set(scans.columns)
    twice = scans.groupby("subject")["site"].nunique().gt(1).sum() if known else 0
    if not twice:
        return "no patient was scanned at two sites"
    return f"patients scanned at two sites: {twice}, but none of their scans could be compared"


def _noted(notes: pd.DataFrame) -> list[str]:
    """The evaluation's own refusals, one sentence per reason."""
    if not {"question", "reason"} <= set(notes.columns):
        return []
    faults = list(dict.fromkeys(notes.loc[notes["question"] == FAULTS, "reason"]))
    found = [f"Image: {reason}." for reason in faults[:SHOWN]]
    if len(faults) > SHOWN:
        found.append(
            f"Image: {len(faults) - SHOWN} more could not be measured; the table notes names each."
        )
    for reason, rows in notes[notes["question"] != FAULTS].groupby("reason", sort=False):
        asked = list(dict.fromkeys(metric_label(q) for q in rows["question"] if q))
        more = f" and {len(asked) - SHOWN} more" if len(asked) > SHOWN else ""
        told = _in_words(reason) if FEATURES in set(rows["question"]) else reason
        found.append(f"{_opened(', '.join(asked[:SHOWN]))}{more}: {told}.".replace("..", "."))
    return found


def _in_words(reason: str) -> str:
    """A reason whose features are named as a reader knows them; scans' ids are not among them."""
    return FEATURE_NAME.sub(lambda found: spoken(found[0]), reason)


def _opened(text: str) -> str:
    return text[:1].upper() + text[1:]


def _beaten(model: ModelRecord) -> list[str]:
    found = []
    for metric in COMPARED:
        values, sign = ranking(model.metrics, metric, "image"), direction(metric)
        ours = values.pop(OURS, None)
        ahead = {n: v for n, v in values.items() if ours and sign * (v.value - ours.value) > 0}
        if ahead:
            best = max(ahead, key=lambda name: sign * ahead[name].value)
            does = "Doing nothing does" if best == "none" else f"{_opened(method_label(best))} does"
            found.append(
                f"{does} better than ours in {metric_label(metric)}: "
                f"{written(ahead[best])} against {written(ours)}."
            )
    return found


def _worse(model: ModelRecord, settings: ReportSettings) -> list[str]:
    factors = readable(changes(model.metrics, BIOLOGY))
    return [
        f"Less can be read of the patient: {metric_label(c.metric)} fell from "
        f"{number(c.before.value)} to {written(c.after)}."
        for c in factors
        if c.gain < -settings.biology_loss
    ]


def _shifted(model: ModelRecord, settings: ReportSettings) -> list[str]:
    shift = estimate(model.metrics, "tissue_shift_hu", OURS, "image")
    limit = settings.tissue_shift_limit_hu
    if shift is None or not shift.known or abs(shift.value) <= limit:
        return []
    before = estimate(model.metrics, "tissue_shift_hu", "none", "image")
    was = f" ({written(before)} as scanned)" if before and before.known else ""
    return [f"Tissue means are off by {written(shift)}{was}; {limit:g} HU or less is asked for."]


def _collapsed(model: ModelRecord) -> list[str]:
    status = str(model.card.get("status", HEALTHY))
    if status != HEALTHY:
        return [f"The model is not healthy: {status}; see the ablation in its card."]
    units = estimate(model.metrics, "active_units", OURS, "latent")
    if units is None or not units.known or units.value > 0:
        return []
    return ["The posterior collapsed: no latent unit carries information (active units 0)."]


def _lost(study: StudyRecord, model: ModelRecord) -> list[str]:
    stages = {"ingest": study.scans, "registration": study.registration}
    stages["harmonization"] = model.harmonized
    found = []
    for stage, table in stages.items():
        count = int(table["status"].isin(LOST).sum()) if "status" in table else 0
        if count:
            were = "scan was" if count == 1 else "scans were"
            found.append(f"{count} {were} lost in {stage}; the reasons stand under Cohort.")
    return found


def _refused(model: ModelRecord) -> list[str]:
    table = model.harmonized
    if "status" not in table or not (table["status"] == "warned").any():
        return []
    rows = table[table["status"] == "warned"]
    return [f"{len(rows)} scans were returned as they are ({rows['reason'].iloc[0]})."]


def _misaligned(study: StudyRecord, settings: ReportSettings) -> list[str]:
    table = study.registration
    if "coverage" not in table:
        return []
    low = table[table["coverage"] < settings.coverage_limit]
    if low.empty:
        return []
    names = ", ".join(f"{row.site}/{row.scan}" for row in low.head(SHOWN).itertuples())
    more = f" and {len(low) - SHOWN} more" if len(low) > SHOWN else ""
    limit = f"{settings.coverage_limit:.0%}"
    return [f"Registration covers under {limit} of the template: {names}{more}."]


def _hardly_known(model: ModelRecord) -> list[str]:
    scans = {site: profile.get("n_scans") for site, profile in model.priors.items()}
    few = {site: int(n) for site, n in scans.items() if n is not None and n < FEW_SCANS}
    if not few:
        return []
    names = ", ".join(f"{site} ({n})" for site, n in list(few.items())[:SHOWN])
    more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
    return [
        f"Sites known from fewer than {FEW_SCANS} scans: {names}{more}. What is their scanner's "
        "and what their patients' (contrast agent, body size) is hardly told apart there; more "
        "scans of them mend it."
    ]


def _weak(model: ModelRecord, settings: ReportSettings) -> list[str]:
    pairs = estimate(model.metrics, "paired_mae_hu", OURS, "image")
    if pairs is None or not pairs.n < settings.few:
        return []
    if pairs.n == 1:
        return ["Agreement rests on one patient: it has no interval, and says nothing of others."]
    return [f"Agreement rests on {pairs.n:.0f} patients only; read its intervals, not its means."]
