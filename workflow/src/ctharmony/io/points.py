"""Rows of tables as the (key, step, value) triples that a tracking store holds."""

import math

import pandas as pd

Point = tuple[str, int, float]


def summary_points(summary: pd.DataFrame) -> list[Point]:
    """Means of the invariance problem as `divergence_study/measure.divergence`."""
    return [
        (f"divergence_study/{measure}.{row.divergence}", 0, float(getattr(row, measure)))
        for row in summary.itertuples()
        for measure in ("site_auc", "biology_r2", "epoch_seconds", "failures")
        if math.isfinite(getattr(row, measure))
    ]


def metric_points(metrics: pd.DataFrame) -> list[Point]:
    """Rows of metrics.tsv as `metric.method.site`, with the stage between for all but images."""
    points = []
    for row in metrics.itertuples():
        stage = [] if row.stage == "image" else [str(row.stage)]
        if math.isfinite(row.value):
            key = ".".join([str(row.metric), *stage, str(row.method), str(row.site)])
            points.append((key, 0, float(row.value)))
    return points


def curve_points(history: pd.DataFrame) -> list[Point]:
    """Rows of history.tsv as `split/term` with the epoch as step."""
    return [
        (f"{row.split}/{row.term}", int(row.epoch), float(row.value))
        for row in history.itertuples()
        if math.isfinite(row.value)
    ]
