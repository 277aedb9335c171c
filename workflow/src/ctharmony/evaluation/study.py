"""The whole evaluation of one model: tables and measured scans in, tables out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd

from ctharmony.evaluation import chapters
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.given import StudyInput
from ctharmony.evaluation.settings import EvaluationSettings
from ctharmony.evaluation.streaming import Measured
from ctharmony.evaluation.tables import factor_table

# writes down what it finds and returns its tables
Chapter = Callable[[Findings], dict[str, pd.DataFrame]]


def evaluate_study(
    given: StudyInput, measured: Sequence[Measured], how: EvaluationSettings, threads: int = 1
) -> dict[str, pd.DataFrame]:
    """Every table of the evaluation by name; `metrics` holds the summary.

    Its chapters know nothing of one another, so `threads` of them are written at a time.
    """
    factors = factor_table(given.scans, given.truth, how.covariates)
    planned: tuple[Chapter, ...] = (
        partial(chapters.images, given, measured, how),
        partial(chapters.probed, given, measured, factors, how),
        partial(chapters.features, given, factors, how),
        partial(chapters.latents, given, factors, how),
        partial(chapters.overlap, given, factors, how),
        partial(chapters.faults, measured),
    )
    findings, tables = Findings(), {}
    with ThreadPoolExecutor(threads) as writers:
        for own, written in writers.map(_written, planned):
            findings.extend(own)
            tables |= written
    return tables | {
        "metrics": findings.metrics_frame(),
        "probes": findings.probes_frame(),
        "notes": findings.notes_frame(),
    }


def _written(chapter: Chapter) -> tuple[Findings, dict[str, pd.DataFrame]]:
    findings = Findings()
    return findings, chapter(findings)
