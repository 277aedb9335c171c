"""The first screen: what came of it in plain words, what to beware of, what cannot be answered."""

from dataclasses import dataclass

import pandas as pd

from ctharmony.evaluation.report.record import OURS, ModelRecord, ReportSettings, StudyRecord
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

PROBES = ("site_auc_linear", "site_auc_forest", "site_auc_cnn")
BIOLOGY = ("biology_r2_", "biology_auc_")
STAGE_ORDER = ("features", "image", "latent")
WORDS = {"good": "yes", "partly": "partly", "bad": "no", "unknown": "cannot be answered"}


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
    for metric in sorted(set(metrics["metric"])):
        for stage in STAGE_ORDER if metric.startswith(prefixes) else ():
            before = estimate(metrics, metric, "none", stage)
            after = estimate(metrics, metric, OURS, stage)
            if before and after and before.known and after.known:
                found.append(Change(metric, stage, before, after))
    return found


def scanner_card(model: ModelRecord, settings: ReportSettings) -> Card:
    """Can a classifier still tell the scanner? The strongest probe of the best covered stage."""
    question = "Did the scanner's signature go?"
    probes = changes(model.metrics, PROBES)
    if not probes:
        detail = "No site probe could be fitted before and after: too few subjects or sites."
        return Card(
            question,
            "unknown",
            "not available",
            detail,
            "whether the scanner's signature went cannot be answered",
        )
    stage = probes[0].stage if len({p.stage for p in probes}) == 1 else _first_stage(probes)
    probes = [probe for probe in probes if probe.stage == stage]
    before = max(probe.before.value for probe in probes)
    strongest = max(probes, key=lambda probe: probe.after.value)
    after = strongest.after.value
    status = (
        "good" if after <= settings.auc_limit else "partly" if before - after >= 0.05 else "bad"
    )
    verdict = {
        "good": "the scanner can hardly be told any more",
        "partly": "the scanner's signature is weaker but still there",
        "bad": "the scanner can still be told as well as before",
    }[status]
    detail = (
        f"How well the strongest classifier ({metric_label(strongest.metric)}) tells the site from "
        f"the {STAGES.get(stage, stage)} of people it has not seen: 0.5 is a guess, 1 is certain. "
        f"After harmonization {written(strongest.after)}; {settings.auc_limit:g} or less counts as gone."
    )
    return Card(question, status, f"AUC {before:.2f} \u2192 {after:.2f}", detail, verdict)


def _first_stage(probes: list[Change]) -> str:
    return min((probe.stage for probe in probes), key=STAGE_ORDER.index)


def biology_card(model: ModelRecord, settings: ReportSettings) -> Card:
    """Is what is known of the patients still readable? Every factor before and after."""
    question = "Did the patient stay?"
    factors = _readable(changes(model.metrics, BIOLOGY))
    if not factors:
        detail = (
            "No covariate could be predicted from the scans before harmonization, or too few "
            "subjects have one, so a loss could not be seen."
        )
        return Card(
            question,
            "unknown",
            "not available",
            detail,
            "whether biology was kept cannot be answered",
        )
    kept = [factor for factor in factors if factor.gain >= -settings.biology_loss]
    worst = min(factors, key=lambda factor: factor.gain)
    share = len(kept) / len(factors)
    status = "good" if share == 1 else "partly" if share >= 0.5 else "bad"
    detail = (
        f"Traits predicted from the {STAGES.get(worst.stage, worst.stage)} as well as before, "
        f"within {settings.biology_loss:g} of R2 or AUC. Largest change for the worse: "
        f"{factor_of(worst.metric, BIOLOGY)}, {number(worst.before.value)} \u2192 {written(worst.after)}."
    )
    headline = f"{len(kept)} of {len(factors)} traits kept"
    return Card(
        question, status, headline, detail, f"{headline.replace(' traits', ' patient traits')}"
    )


def _readable(factors: list[Change]) -> list[Change]:
    """Only what could be read before can be lost: R2 > 0.1 or AUC > 0.6; one stage."""

    def shown(factor: Change) -> bool:
        return factor.before.value > (0.1 if factor.metric.startswith("biology_r2_") else 0.6)

    factors = [factor for factor in factors if shown(factor)]
    stage = _first_stage(factors) if factors else ""
    return [factor for factor in factors if factor.stage == stage]


def truth_card(study: StudyRecord, model: ModelRecord) -> Card:
    """How near are the scans to the same patients' scans at the target, and is a baseline nearer?"""
    question = "Do the images agree with the target scanner?"
    metric = "paired_mae_hu"
    values = ranking(model.metrics, metric, "image")
    before, after = values.get("none"), values.get(OURS)
    if not before or not after:
        detail = (
            "No patient of this study was scanned at both a site and the target, so there is no "
            "truth to compare the images with."
        )
        return Card(
            question,
            "unknown",
            "no paired scans",
            detail,
            "how near the images are to the target cannot be answered (no paired scans)",
        )
    best = min(values, key=lambda name: values[name].value)
    better = after.value < before.value
    status = "good" if better and best == OURS else "partly" if better else "bad"
    share = 100 * (after.value - before.value) / before.value
    rival = min(
        (n for n in values if n not in (OURS, "none")), default=None, key=lambda n: values[n].value
    )
    detail = f"Mean absolute error to the same patients' scans at {study.target}, in the body: {written(after)} ({share:+.0f}%)."
    if rival:
        relation = (
            "which is nearer than ours" if values[rival].value < after.value else "which is farther"
        )
        detail += f" Best baseline: {method_label(rival)}, {written(values[rival])}, {relation}."
    headline = f"{number(before.value)} \u2192 {number(after.value)} {unit_name(after.unit)}"
    clause = f"the images came {'nearer to' if better else 'no nearer to'} the target scanner ({headline})"
    if best not in (OURS, "none"):
        clause += f", though {method_label(best)} comes nearer"
    return Card(question, status, headline, detail, clause)


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


def cohort_card(study: StudyRecord, settings: ReportSettings) -> Card:
    """How many scans could be used."""
    question = "Could the scans be used?"
    status_of = study.scans["status"] if "status" in study.scans else pd.Series(dtype=str)
    total, aside = len(status_of), int((status_of == "set_aside").sum())
    warned = int((status_of == "warned").sum())
    if not total:
        return Card(
            question, "unknown", "no scans", "No scan was ingested.", "no scan was ingested"
        )
    status = "good" if aside == 0 else "partly" if aside < total / 2 else "bad"
    detail = f"{aside} set aside, {warned} used with a warning, from {len(study.sites)} sites; the reasons are listed under Cohort."
    headline = f"{total - aside} of {total} scans"
    return Card(question, status, headline, detail, f"{headline} could be used")


def sentence(study: StudyRecord, cards: list[Card]) -> str:
    """The cards' answers as one sentence."""
    clauses = [card.clause for card in cards]
    return f"Harmonized to the scanner of {study.target}: " + "; ".join(clauses) + "."
