"""What the training left behind, in the words of metrics.tsv."""

import math

import pandas as pd

from ctharmony.evaluation.bootstrap import exact
from ctharmony.evaluation.metrics import metric_row

# word of metrics.tsv -> terms of history.tsv that add up to it
TERMS = {
    "rate_nats": ("rate_biology", "rate_scanner"),
    "rate_nats_biology": ("rate_biology",),
    "rate_nats_scanner": ("rate_scanner",),
    "distortion_nats": ("reconstruction",),
    "mutual_information_nats_biology": ("biology_mutual_information",),
    "mutual_information_nats_scanner": ("scanner_mutual_information",),
    "marginal_kl_nats_biology": ("biology_marginal_kl",),
    "marginal_kl_nats_scanner": ("scanner_marginal_kl",),
    "total_correlation_nats_biology": ("biology_total_correlation",),
    "total_correlation_nats_scanner": ("scanner_total_correlation",),
    "active_units": ("active_biology", "active_scanner"),
    "active_units_biology": ("active_biology",),
    "active_units_scanner": ("active_scanner",),
    "density": ("decoded_density",),
    "coverage": ("decoded_coverage",),
    "lipschitz_invariance": ("invariance_lipschitz",),
    "lipschitz_realism": ("realism_lipschitz",),
}
# what a critic says of JS, as a share of the most that JS can be
SATURATION = {"js_saturation_invariance": "invariance_js", "js_saturation_realism": "realism_js"}


def final_terms(history: pd.DataFrame, method: str) -> list[dict[str, object]]:
    """Rows for the last epoch of every term that metrics.tsv knows.

    Rate and distortion are per patch; information, marginal KL and total correlation are of a
    place of z_b and of z_s. The validation split's value is taken where there is one.

    Args:
        history: epoch, term, split, value, unit.
        method: goes into the rows.
    """
    last = history.sort_values("epoch", kind="stable").groupby(["term", "split"]).tail(1)
    # 'train' sorts before 'validation', which overwrites it
    values = dict(last.sort_values("split", kind="stable")[["term", "value"]].to_numpy())
    found = {
        word: sum(values[term] for term in terms)
        for word, terms in TERMS.items()
        if all(term in values for term in terms)
    }
    found |= {
        word: values[term] / math.log(2.0) for word, term in SATURATION.items() if term in values
    }
    return [metric_row(word, method, "latent", exact(value, 0)) for word, value in found.items()]
