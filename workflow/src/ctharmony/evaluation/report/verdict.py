"""The first screen: what came of it in plain words."""

from dataclasses import dataclass

import pandas as pd

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.record import ModelRecord, ReportSettings, StudyRecord
from ctharmony.evaluation.report.words import (
    BOUNDS,
    STAGES,
    Estimate,
    direction,
    estimate,
    factor_of,
    method_label,
    metric_label,
    number,
    unit_name,
    written,
)

PROBES = ("site_auc_",)
BIOLOGY = ("biology_r2_", "biology_auc_")
STAGE_ORDER = ("features", "image", "latent")
WORDS = {"good": "yes", "partly": "partly", "bad": "no", "unknown": "cannot be answered"}
# what cannot be read before cannot be lost: smaller scores are left out of the count
LEAST_R2, LEAST_AUC, NOTABLE = 0.1, 0.6, 0.05


@dataclass(frozen=True)
class Card:
    """One question of the first screen.

    Attributes:
        status: good, partly, bad or unknown; clause: the answer as part of a sentence.
    """

    question: str
    status: str
    headline: str
    detail: str
    clause: str

    @property
    def word(self) -> str:
        """The status in words, so that colour alone never says it."""
        return WORDS[self.status]


@dataclass(frozen=True)
class Change:
    """A metric before and after at one stage."""

    metric: str
    stage: str
    before: Estimate
    after: Estimate

    @property
    def gain(self) -> float:
        """How much better it became, in the metric's unit; negative where it became worse."""
        return (self.after.value - self.before.value) * (direction(self.metric) or 1)


def changes(metrics: pd.DataFrame, prefixes: tuple[str, ...]) -> list[Change]:
    """Metrics with these beginnings that are known before and after at the same stage."""
    if metrics.empty:
        return []
    found = []
    for stage in STAGE_ORDER:
        for metric in dict.fromkeys(m for m in metrics["metric"] if m.startswith(prefixes)):
            before = estimate(metrics, metric, "none", stage)
            after = estimate(metrics, metric, OURS, stage)
            if before and after and before.known and after.known:
                found.append(Change(metric, stage, before, after))
    return found


def scanner_card(model: ModelRecord, settings: ReportSettings) -> Card:
    """Can a classifier still tell the scanner? The strongest probe of all counts."""
    question = "Did the scanner's signature go?"
    probes = changes(model.metrics, PROBES)
    if not probes:
        detail = "No site probe could be fitted before and after: too few subjects or sites."
        clause = "whether the scanner's signature went cannot be answered"
        return Card(question, "unknown", "not available", detail, clause)
    before = max(probe.before.value for probe in probes)
    strongest = max(probes, key=lambda probe: probe.after.value)
    after = strongest.after.value
    gone, weaker = after <= settings.auc_limit, before - after >= NOTABLE
    status = "good" if gone else "partly" if weaker else "bad"
    clause = {
        "good": "the scanner can hardly be told any more",
        "partly": "the scanner's signature is weaker but still there",
        "bad": "a classifier tells the scanner as well as before",
    }[status]
    detail = (
        f"How well the strongest of {len(probes)} classifiers tells the site of people it has not "
        f"seen: 0.5 is a guess, 1 is certain, {settings.auc_limit:g} or less counts as gone. "
        f"After: {written(strongest.after)} ({metric_label(strongest.metric)}, "
        f"{STAGES.get(strongest.stage, strongest.stage)})."
    )
    return Card(question, status, f"AUC {before:.2f} \u2192 {after:.2f}", detail, clause)


def biology_card(model: ModelRecord, settings: ReportSettings) -> Card:
    """Is what is known of the patients still readable? Every factor before and after."""
    question = "Did the patient stay?"
    factors = readable(changes(model.metrics, BIOLOGY))
    if not factors:
        detail = (
            "No trait of the patients could be predicted from the scans before harmonization, or "
            "too few subjects have one, so a loss could not be seen."
        )
        clause = "whether biology was kept cannot be answered"
        return Card(question, "unknown", "not available", detail, clause)
    kept = [factor for factor in factors if factor.gain >= -settings.biology_loss]
    worst = min(factors, key=lambda factor: factor.gain)
    share = len(kept) / len(factors)
    status = "good" if share == 1 else "partly" if share >= 0.5 else "bad"
    detail = (
        f"Traits predicted from the {STAGES.get(worst.stage, worst.stage)} as well as before, to "
        f"within {settings.biology_loss:g} of R2 or AUC. The one that fared worst: "
        f"{factor_of(worst.metric, BIOLOGY)}, {number(worst.before.value)} \u2192 "
        f"{written(worst.after)}."
    )
    headline = f"{len(kept)} of {len(factors)} traits kept"
    clause = f"{len(kept)} of {len(factors)} patient traits can be read as well as before"
    return Card(question, status, headline, detail, clause)


def readable(factors: list[Change]) -> list[Change]:
    """Factors that could be read before, at the first stage that knows any."""

    def shown(factor: Change) -> bool:
        least = LEAST_R2 if factor.metric.startswith("biology_r2_") else LEAST_AUC
        return factor.before.value > least

    factors = [factor for factor in factors if shown(factor)]
    return [factor for factor in factors if factor.stage == factors[0].stage]


def truth_card(study: StudyRecord, model: ModelRecord) -> Card:
    """How near are the scans to the same patients' scans at the target? Is a baseline nearer?"""
    question = "Do the images agree with the target scanner?"
    values = ranking(model.metrics, "paired_mae_hu", "image")
    before, after = values.get("none"), values.get(OURS)
    if not before or not after:
        detail = (
            "No patient of this study was scanned at both a site and the target, so there is no "
            "truth to compare the images with."
        )
        clause = "agreement with the target cannot be answered (no paired scans)"
        return Card(question, "unknown", "no paired scans", detail, clause)
    better = after.value < before.value
    best = min(values, key=lambda name: values[name].value)
    status = "bad" if not better else "good" if best == OURS else "partly"
    headline = f"{number(before.value)} \u2192 {number(after.value)} {unit_name(after.unit)}"
    clause = f"the images came {'nearer to' if better else 'no nearer to'} it ({headline})"
    if best not in (OURS, "none"):
        clause += f", though {method_label(best)} comes nearer"
    return Card(question, status, headline, _truth_detail(study, values), clause)


def _truth_detail(study: StudyRecord, values: dict[str, Estimate]) -> str:
    before, after = values["none"], values[OURS]
    share = 100 * (after.value - before.value) / before.value
    detail = (
        f"Mean absolute error in the body to the same patients on the scanner of {study.target}: "
        f"{written(after)} ({share:+.0f}%)."
    )
    rivals = {name: value for name, value in values.items() if name not in (OURS, "none")}
    if rivals:
        rival = min(rivals, key=lambda name: rivals[name].value)
        relation = "nearer" if rivals[rival].value < after.value else "less near"
        detail += f" Best baseline: {method_label(rival)}, {written(rivals[rival])}, {relation}."
    return detail


def ranking(metrics: pd.DataFrame, metric: str, stage: str) -> dict[str, Estimate]:
    """Known values of every competing method over all sites; upper bounds are left out."""
    if metrics.empty:
        return {}
    found = {}
    for method in dict.fromkeys(metrics["method"]):
        value = estimate(metrics, metric, method, stage)
        if method not in BOUNDS and value and value.known:
            found[str(method)] = value
    return found


def cohort_card(study: StudyRecord) -> Card:
    """How many scans could be used."""
    question = "Could the scans be used?"
    statuses = study.scans["status"] if "status" in study.scans else pd.Series(dtype=str)
    total, aside = len(statuses), int((statuses == "set_aside").sum())
    if not total:
        clause = "no scan was ingested"
        return Card(question, "unknown", "no scans", "No scan was ingested.", clause)
    status = "good" if aside == 0 else "partly" if aside < total / 2 else "bad"
    detail = (
        f"{aside} set aside, {int((statuses == 'warned').sum())} used with a warning, from "
        f"{len(study.sites)} sites. The reasons stand under Cohort."
    )
    headline = f"{total - aside} of {total} scans"
    return Card(question, status, headline, detail, f"{headline} could be used")


def sentence(study: StudyRecord, cards: list[Card]) -> str:
    """The cards' answers as one sentence."""
    clauses = "; ".join(card.clause for card in cards)
    middle = "the middle of the reference sites' scanners"
    aim = middle if study.aim == "barycentre" else f"the scanner of {study.target}"
    return f"Harmonized to {aim}: {clauses}."
