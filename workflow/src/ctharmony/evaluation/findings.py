"""Answers as they pile up, and refusals beside them."""

from dataclasses import dataclass, field

import pandas as pd

from ctharmony.evaluation.bootstrap import Estimate
from ctharmony.evaluation.metrics import metric_row, metrics_table
from ctharmony.evaluation.multiple_testing import q_values
from ctharmony.evaluation.tables import FeatureSet

PROBE_COLUMNS = (
    "question",
    "method",
    "stage",
    "part",
    "probe",
    "value",
    "ci_low",
    "ci_high",
    "p_value",
    "q_value",
    "n",
    "reason",
)
NOTE_COLUMNS = ("question", "method", "stage", "site", "reason")


@dataclass
class Findings:
    """Rows for metrics.tsv, probes.tsv and notes.tsv."""

    metrics: list[dict[str, object]] = field(default_factory=list)
    probes: list[dict[str, object]] = field(default_factory=list)
    notes: list[dict[str, object]] = field(default_factory=list)

    def extend(self, other: "Findings") -> None:
        """Put another's rows after these."""
        self.metrics += other.metrics
        self.probes += other.probes
        self.notes += other.notes

    def answer(
        self, question: str, features: FeatureSet, probe: str, found: Estimate, p_value: float
    ) -> None:
        """A probe's answer; metrics.tsv takes the main part of a stage, probes.tsv every part."""
        if features.main:
            self.metrics.append(metric_row(question, features.method, features.stage, found))
        self._probe(question, features, probe, found, p_value, "")

    def refuse(self, question: str, features: FeatureSet, found: Estimate, reason: str) -> None:
        """A question that these scans cannot answer."""
        if features.main:
            self.metrics.append(metric_row(question, features.method, features.stage, found))
        self._probe(question, features, "", found, float("nan"), reason)
        self.note(question, features.method, features.stage, reason)

    def note(self, question: str, method: str, stage: str, reason: str, site: str = "all") -> None:
        """A sentence about what is not known or not done, and why."""
        row = dict(question=question, method=method, stage=stage, site=site, reason=reason)
        self.notes.append(row)

    def metrics_frame(self) -> pd.DataFrame:
        """metrics.tsv."""
        return metrics_table(self.metrics)

    def probes_frame(self) -> pd.DataFrame:
        """probes.tsv; q-values (Benjamini-Hochberg) are over all its probes."""
        table = pd.DataFrame(self.probes, columns=list(PROBE_COLUMNS))
        return table.assign(q_value=q_values(table["p_value"].astype(float)))

    def notes_frame(self) -> pd.DataFrame:
        """notes.tsv."""
        return pd.DataFrame(self.notes, columns=list(NOTE_COLUMNS))

    def _probe(
        self,
        question: str,
        features: FeatureSet,
        probe: str,
        found: Estimate,
        p_value: float,
        reason: str,
    ) -> None:
        values = (features.method, features.stage, features.part, probe, found.value, found.low)
        row = (question, *values, found.high, p_value, float("nan"), found.n, reason)
        self.probes.append(dict(zip(PROBE_COLUMNS, row, strict=True)))
