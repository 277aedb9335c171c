"""Confidence intervals by resampling subjects: scans of one person are not independent.

Percentile bootstrap (Efron and Tibshirani 1993, chapter 13). With fewer than two subjects there is
no interval, and both bounds are not-a-number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval, in the unit of the measure.

    Attributes:
        value: the estimate; not-a-number where the data cannot answer.
        low, high: bounds of the interval, or not-a-number.
        n: subjects (or scans, where a measure has no subjects) behind the value.
    """

    value: float
    low: float
    high: float
    n: int


def unanswered(n: int) -> Estimate:
    """What is written where `n` subjects cannot answer a question."""
    return Estimate(float("nan"), float("nan"), float("nan"), n)


def exact(value: float, n: int) -> Estimate:
    """A value that has no sampling interval."""
    return Estimate(float(value), float("nan"), float("nan"), n)


def subject_weights(subjects: Sequence[str], repeats: int, seed: int) -> np.ndarray:
    """How often each scan is drawn in each resample of subjects, (repeats, scans) float64."""
    names, codes = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    generator = np.random.default_rng(seed)
    chances = np.full(len(names), 1.0 / len(names))
    drawn = generator.multinomial(len(names), chances, size=repeats)
    return drawn[:, codes].astype(np.float64)


def interval(replicates: np.ndarray, value: float, n: int) -> Estimate:
    """The 95% percentile interval of bootstrap `replicates` (repeats,) around `value`."""
    kept = replicates[np.isfinite(replicates)]
    if n < 2 or len(kept) < 2 or not np.isfinite(value):
        return Estimate(float(value), float("nan"), float("nan"), n)
    low, high = np.percentile(kept, LEVELS)
    return Estimate(float(value), float(low), float(high), n)


def bootstrap_mean(
    values: np.ndarray, subjects: Sequence[str], repeats: int, seed: int
) -> Estimate:
    """Mean over scans with its interval over subjects; not-a-number values are left out.

    Args:
        values: (scans,) in any unit.
        subjects: (scans,) ids; scans of one subject are drawn together.
    """
    values = np.asarray(values, dtype=np.float64)
    kept = np.isfinite(values)
    values, subjects = values[kept], np.asarray(subjects, dtype=str)[kept]
    if len(values) == 0:
        return unanswered(0)
    weights = subject_weights(subjects, repeats, seed)
    replicates = weights @ values / weights.sum(1)
    return interval(replicates, float(values.mean()), len(np.unique(subjects)))
