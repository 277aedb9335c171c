"""What ctharmony promises, and whether this study holds it, for query and reference sites apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ctharmony.evaluation.cases import OURS
from ctharmony.evaluation.report.blocks import Cell, Section, Table, Text, download, file_name
from ctharmony.evaluation.report.record import ModelRecord, StudyRecord
from ctharmony.evaluation.report.verdict import BIOLOGY, PROBES, changes, readable
from ctharmony.evaluation.report.words import BOUNDS, direction, method_label, number

PAIRED_SHARE, BOUND_SHARE = 0.75, 1.05  # of the best unpaired method's and of the bound's MAE
NOISE_SD = 0.05  # share by which the noise SD may differ
AUC, BIOLOGY_SHARE = 0.60, 0.98
LIMITS = {
    "laa950_bias_points": ("LAA-950 bias", 0.5, "percentage points"),
    "perc15_bias_hu": ("Perc15 bias", 3.0, "HU"),
    "tissue_shift_hu_soft_tissue": ("shift of soft tissue", 2.0, "HU"),
    "tissue_shift_hu_bone": ("shift of bone", 10.0, "HU"),
}
GROUPS = {"query": "query sites", "reference": "reference sites"}


@dataclass(frozen=True)
class Outcome:
    """One promise at one group of sites: what was found, n subjects, whether it is held."""

    told: str
    n: int
    held: bool


Found = dict[str, tuple[float, int]]  # method -> mean over the group's sites, n


def bars_section(study: StudyRecord, model: ModelRecord) -> Section | None:
    """The table of promises; None where nothing of it was measured."""
    rows = []
    for label, judge in _promises(model):
        outcomes = [judge(study, role) for role in GROUPS]
        if any(outcomes):
            rows.append([Cell(label), *(part for found in outcomes for part in _cells(found))])
    rows += [_everywhere(*row) for row in _over_all(model)]
    if not rows:
        return None
    section = Section("promises", "What ctharmony promises",
        "Every bar the method sets itself, and whether this study holds it.",
        short="Promises")  # fmt: skip
    missed = sum("missed" in cell.text for row in rows for cell in row)
    held = sum("held" in cell.text for row in rows for cell in row)
    section.blocks.append(Text(f"{held} held, {missed} missed.", "note"))
    caption = (
        "Means over the sites of each role (without the target), n subjects. Query sites joined "
        "without retraining. Site probes and biology are asked over all sites at once."
    )
    columns = ["promise", *(words for name in GROUPS.values() for words in (name, "n"))]
    frame = pd.DataFrame([[cell.text for cell in row] for row in rows], columns=_unique(columns))
    title = "Promises held and missed"
    section.blocks.append(Table(title, caption, columns, rows, download(frame), file_name(title)))
    return section


def _unique(columns: list[str]) -> list[str]:
    """Headings of the download: every n says whose."""
    return [f"n of {columns[i - 1]}" if name == "n" else name for i, name in enumerate(columns)]


def _cells(outcome: Outcome | None) -> list[Cell]:
    if outcome is None:
        return [Cell("–"), Cell("–")]
    word = "held" if outcome.held else "missed"
    mark = "ok" if outcome.held else "warned"
    return [Cell(f"{word}: {outcome.told}", mark), Cell(str(outcome.n), sort=str(outcome.n))]


def _everywhere(label: str, outcome: Outcome) -> list[Cell]:
    """A promise that is asked of all sites together stands once, in both columns' place."""
    first, n = _cells(outcome)
    return [Cell(label), first, n, Cell("asked over all sites"), Cell("–")]


def _promises(
    model: ModelRecord,
) -> list[tuple[str, Callable[[StudyRecord, str], Outcome | None]]]:
    def found(study: StudyRecord, role: str, metric: str) -> Found:
        return site_means(study, model.metrics, role, metric)

    def against(
        metric: str, share: float, bounds: bool
    ) -> Callable[[StudyRecord, str], Outcome | None]:
        return lambda study, role: _against(found(study, role, metric), metric, share, bounds)

    def within(metric: str) -> Callable[[StudyRecord, str], Outcome | None]:
        return lambda study, role: _within(found(study, role, metric), metric)

    listed = [
        (f"MAE at most {PAIRED_SHARE:g} times the best unpaired method's",
         against("paired_mae_hu", PAIRED_SHARE, False)),
        (f"MAE at most {BOUND_SHARE:g} times the paired Wiener filter's",
         against("paired_mae_hu", BOUND_SHARE, True)),
        ("noise texture at least as near as the best unpaired method's",
         against("nps_distance", 1.0, False)),
        ("SSIM above every unpaired method's", against("paired_ssim", 1.0, False)),
        (f"noise SD within {NOISE_SD:.0%} of the target's",
         lambda study, role: _noise(found(study, role, "noise_sd_ratio"))),
    ]  # fmt: skip
    for metric, (label, limit, unit) in LIMITS.items():
        listed.append((f"{label} at most {limit:g} {unit}", within(metric)))
    return listed


def site_means(study: StudyRecord, metrics: pd.DataFrame, role: str, metric: str) -> Found:
    """Every method's mean over the sites of a role, the target left out, and its subjects."""
    if metrics.empty:
        return {}
    names = [s["site"] for s in study.sites if s.get("role") == role and s["site"] != study.target]
    own = metrics[(metrics["metric"] == metric) & (metrics["stage"] == "image")]
    own = own[own["site"].isin(names) & own["value"].notna()]
    return {
        str(method): (float(rows["value"].mean()), int(rows["n"].sum()))
        for method, rows in own.groupby("method")
    }


def _against(found: Found, metric: str, share: float, bounds: bool) -> Outcome | None:
    """Ours against the best competitor, or against the best bound that reads the truth."""
    sign = direction(metric)
    rivals = {
        name: value
        for name, (value, _) in found.items()
        if name != OURS and (name in BOUNDS) == bounds
    }
    if OURS not in found or not rivals:
        return None
    best = max(rivals, key=lambda name: sign * rivals[name])
    value, n = found[OURS]
    told = f"{number(value)} against {number(rivals[best])} ({method_label(best)})"
    held = value <= share * rivals[best] if sign < 0 else value > share * rivals[best]
    return Outcome(told, n, held)


def _within(found: Found, metric: str) -> Outcome | None:
    if OURS not in found:
        return None
    value, n = found[OURS]
    before = found.get("none", (math.nan, 0))[0]
    was = f" (as scanned {number(before)})" if math.isfinite(before) else ""
    return Outcome(f"{number(value)}{was}", n, value <= LIMITS[metric][1])


def _noise(found: Found) -> Outcome | None:
    if OURS not in found:
        return None
    value, n = found[OURS]
    return Outcome(f"{number(value)} of the target's", n, abs(value - 1) <= NOISE_SD)


def _over_all(model: ModelRecord) -> list[tuple[str, Outcome]]:
    """Site probes on images and features, and biology: the worst of each counts."""
    rows = []
    for stage in ("image", "features"):
        asked = [c for c in changes(model.metrics, PROBES) if c.stage == stage]
        if asked:
            worst = max(asked, key=lambda change: change.after.value)
            told = f"{number(worst.after.value)} (as scanned {number(worst.before.value)})"
            held = worst.after.value <= AUC
            label = f"AUC of every site probe at most {AUC:.2f}, {stage}"
            rows.append((label, Outcome(told, int(worst.after.n), held)))
    traits = readable(changes(model.metrics, BIOLOGY))
    if traits:
        worst = min(traits, key=lambda change: change.after.value / change.before.value)
        share = worst.after.value / worst.before.value
        label = f"every trait's probe at least {BIOLOGY_SHARE:g} times that of the untouched scans"
        told = f"{number(share)} times for the one that fared worst"
        rows.append((label, Outcome(told, int(worst.after.n), share >= BIOLOGY_SHARE)))
    return rows
