"""What the training left behind, in the words of metrics.tsv."""

import pandas as pd

from ctharmony.evaluation.bootstrap import exact
from ctharmony.evaluation.metrics import metric_row

TERMS = (
    "rate_nats",
    "distortion_nats",
    "mutual_information_nats",
    "marginal_kl_nats",
    "total_correlation_nats",
    "active_units",
)


def final_terms(history: pd.DataFrame, method: str) -> list[dict[str, object]]:
    """Rows for the last epoch of every term that metrics.tsv knows, from the validation split.

    Args:
        history: epoch, term, split, value, unit. A term may carry a latent's name, as in
            `rate_b_nats`: such parts are added up where the whole is not given.
        method: goes into the rows.
    """
    judged = history[history["split"] == "validation"]
    judged = judged if len(judged) else history
    last = judged.sort_values("epoch", kind="stable").groupby("term", sort=False).tail(1)
    values = {str(row.term).removesuffix("_nats"): float(row.value) for row in last.itertuples()}
    rows = []
    for word in TERMS:
        value = _term(values, word.removesuffix("_nats"))
        if value is not None:
            rows.append(metric_row(word, method, "latent", exact(value, 0)))
    return rows


def _term(values: dict[str, float], name: str) -> float | None:
    if name in values:
        return values[name]
    parts = [values[key] for key in (f"{name}_b", f"{name}_s") if key in values]
    return sum(parts) if parts else None
