"""The feature-level part alone: a table of radiomics from elsewhere, every harmonizer, one answer.

Every harmonizer is fitted on the training fold with batch labels only and applied to the held-out
fold; outcomes never enter one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ctharmony.evaluation.bootstrap import Estimate, unanswered
from ctharmony.evaluation.cases import OURS, UNTOUCHED
from ctharmony.evaluation.feature_harmonizers import fill_missing, table_harmonizer
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.multiple_testing import site_differences
from ctharmony.evaluation.probes import PROBES, ProbeSettings, Sample, probe, refusal
from ctharmony.evaluation.tables import FeatureSet

STAGE, PART = "features", "table"


@dataclass(frozen=True)
class FeatureStudySettings:
    """The config block `feature_study`, its tables left to the reader.

    Attributes:
        features: regular expression of the columns that are features.
        subject: column of the patient, whose rows are never parted; None: each row is one.
        batches: maker, kernel or site -> column; in the order in which they are harmonized.
        outcomes: name -> {column, values}: what must stay; rows with other values are left out
            of its probe.
        unknown: cells of a batch column that mean "not known".
        minimum_scans: rows a batch must have, else they are left out with a note.
        harmonizers: methods compared beside the untouched table.
        rounds: passes of ours over all batch variables.
        repeats: divisions into folds that every probe is averaged over.
        batch_auc, outcome_loss: bars: highest AUC of a batch, largest loss of an outcome's AUC.
        probes: settings of the probes.
    """

    features: str
    subject: str | None
    batches: Mapping[str, str]
    outcomes: Mapping[str, Mapping[str, object]]
    unknown: Sequence[str]
    minimum_scans: int
    harmonizers: Sequence[str]
    rounds: int
    repeats: int
    batch_auc: float
    outcome_loss: float
    probes: ProbeSettings


def evaluate_feature_table(
    table: pd.DataFrame, how: FeatureStudySettings
) -> dict[str, pd.DataFrame]:
    """Probes of batches and outcomes under every harmonizer.

    Args:
        table: `scan`, batch, outcome and feature columns as text.
        how: settings.

    Returns:
        metrics, probes, notes as in a whole evaluation; `bars`: method, question, linear, forest,
        n and whether the bar is held; `feature_differences`; and `harmonized`, the table under
        ours fitted on all rows.

    Raises:
        ValueError: no feature column, or a batch column is missing.
    """
    findings = Findings()
    rows = _usable(table, how, findings)
    names, values = _numbers(rows, how, findings)
    batches = rows[list(how.batches.values())].to_numpy(dtype=str)
    scans = rows["scan"].to_numpy(dtype=str)
    plain = Sample(values, _subjects(rows, how), batches)
    for method in (UNTOUCHED, *how.harmonizers):
        fitted = None if method == UNTOUCHED else table_harmonizer(method, how.rounds)
        words = (method, STAGE, PART, tuple(scans), names)
        features = FeatureSet(*words, replace(plain, prepare=fitted))
        _ask(findings, features, rows, how)
    ours = table_harmonizer(OURS, how.rounds)(values, values[:0], batches, batches[:0])[0]
    harmonized = pd.DataFrame(ours, columns=list(names))
    harmonized.insert(0, "scan", scans)
    return {
        "metrics": findings.metrics_frame(),
        "probes": findings.probes_frame(),
        "notes": findings.notes_frame(),
        "bars": bars(findings.metrics_frame(), how),
        "feature_differences": _differences((values, ours), plain, tuple(scans), names, how),
        "harmonized": harmonized,
    }


def bars(metrics: pd.DataFrame, how: FeatureStudySettings) -> pd.DataFrame:
    """Every method beside the bar: linear and forest AUC, n, and whether it is held."""
    known = {(row.metric, row.method): row for row in metrics.itertuples()}
    questions = [f"{name}_auc_" for name in how.batches]
    questions += [f"biology_auc_{name}_" for name in how.outcomes]
    rows = []
    for method in dict.fromkeys(metrics["method"]):
        for question in questions:
            linear, forest = (known[question + kind, method] for kind in PROBES)
            raw = known[question + "linear", UNTOUCHED].value
            if question.startswith("biology_"):
                held = linear.value >= raw - how.outcome_loss
            else:
                held = max(linear.value, forest.value) <= how.batch_auc
            asked = question.removesuffix("_").removeprefix("biology_auc_").removesuffix("_auc")
            rows.append((method, asked, linear.value, forest.value, linear.n, bool(held)))
    return pd.DataFrame(rows, columns=["method", "question", "linear", "forest", "n", "held"])


def _subjects(rows: pd.DataFrame, how: FeatureStudySettings) -> np.ndarray:
    """The patient of every row (scans,); a row whose patient is not known is one by itself."""
    scans = rows["scan"].astype(str)
    if how.subject is None:
        return scans.to_numpy(dtype=str)
    if how.subject not in rows:
        raise ValueError(f"feature_study.subject: no table has a column '{how.subject}'")
    known = rows[how.subject].astype(str)
    return known.where(~known.isin(["nan", *how.unknown]), scans).to_numpy(dtype=str)


def _usable(table: pd.DataFrame, how: FeatureStudySettings, findings: Findings) -> pd.DataFrame:
    """Rows whose batches are known and large enough; the others are noted."""
    for question, column in how.batches.items():
        if column not in table:
            raise ValueError(f"feature_study.batches.{question}: no table has a column '{column}'")
        strange = table[column].isin(list(how.unknown)) | table[column].isna()
        _noted(findings, question, table[strange], f"their {column} is not known")
        table = table[~strange]
    for question, column in how.batches.items():
        count = table[column].map(table[column].value_counts())
        small = count < how.minimum_scans
        reason = f"their {column} has fewer than {how.minimum_scans} scans"
        _noted(findings, question, table[small], reason)
        table = table[~small]
    return table.reset_index(drop=True)


def _noted(findings: Findings, question: str, rows: pd.DataFrame, reason: str) -> None:
    if len(rows):
        scans = ", ".join(rows["scan"].astype(str))
        told = f"{len(rows)} scans are left out because {reason}: {scans}"
        findings.note(f"{question}_auc_linear", "", STAGE, told)


def _numbers(
    rows: pd.DataFrame, how: FeatureStudySettings, findings: Findings
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values (scans, features) of the feature columns, NaN where no number stands."""
    names = [name for name in rows.columns if re.search(how.features, str(name))]
    frame = rows[names].apply(pd.to_numeric, errors="coerce")
    names = [name for name in names if frame[name].notna().any()]
    if not names:
        raise ValueError(f"feature_study.features: no column with numbers matches {how.features}")
    gaps = frame[names].isna()
    if gaps.to_numpy().any():
        told = f"{int(gaps.to_numpy().sum())} cells of {int(gaps.any().sum())} features hold no "
        findings.note("", "", STAGE, told + "number; each takes its training fold's median")
    return tuple(names), frame[names].to_numpy(dtype=np.float64)


def _ask(
    findings: Findings, features: FeatureSet, rows: pd.DataFrame, how: FeatureStudySettings
) -> None:
    asked = {f"{name}_auc_": rows[column] for name, column in how.batches.items()}
    for name, outcome in how.outcomes.items():
        labels = rows[str(outcome["column"])]
        kept = labels.where(labels.isin([str(value) for value in outcome["values"]]))
        asked[f"biology_auc_{name}_"] = kept
    for question, labels in asked.items():
        sample = features.sample.only(labels.notna().to_numpy())
        known = labels.dropna().to_numpy(dtype=str)
        reason = refusal(known, sample.subjects, how.probes)
        for kind in PROBES:
            if reason:
                nothing = unanswered(len(set(sample.subjects)))
                findings.refuse(question + kind, features, nothing, reason)
                continue
            found, p_value = averaged(sample, known, kind, how)
            findings.answer(question + kind, features, kind, found, p_value)


def averaged(
    sample: Sample, labels: np.ndarray, kind: str, how: FeatureStudySettings
) -> tuple[Estimate, float]:
    """A probe's AUC and interval, means over divisions into folds, and a p-value.

    Twice the mean of p-values is one (Rueschendorf, Annals of Statistics 1982).
    """
    results = [
        probe(sample, labels, kind, replace(how.probes, seed=how.probes.seed + index))
        for index in range(how.repeats)
    ]
    found = np.array([(one.auc.value, one.auc.low, one.auc.high) for one in results]).mean(axis=0)
    p_value = float(np.mean([one.p_value for one in results]))
    return Estimate(*map(float, found), results[0].auc.n), min(1.0, 2 * p_value)


def _differences(
    tables: tuple[np.ndarray, np.ndarray],
    plain: Sample,
    scans: tuple[str, ...],
    names: tuple[str, ...],
    how: FeatureStudySettings,
) -> pd.DataFrame:
    """Which features differ between the batches of each variable, untouched and under ours."""
    found = []
    for method, values in zip((UNTOUCHED, OURS), tables, strict=True):
        complete = fill_missing(values, values[:0])[0]
        for index, question in enumerate(how.batches):
            sample = Sample(complete, plain.subjects, plain.sites[:, index])
            features = FeatureSet(method, STAGE, PART, scans, names, sample)
            found.append(site_differences(features).assign(question=question))
    return pd.concat(found, ignore_index=True)
