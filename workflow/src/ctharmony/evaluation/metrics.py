"""Rows of metrics.tsv: the words, their units, and the one way to write a row."""

from collections.abc import Iterable

import pandas as pd

from ctharmony.evaluation.bootstrap import Estimate

COLUMNS = ("metric", "method", "stage", "site", "value", "ci_low", "ci_high", "unit", "n")
STAGES = ("image", "latent", "features")
ALL_SITES = "all"

UNITS = {
    "site_auc_linear": "AUC",
    "site_auc_forest": "AUC",
    "site_auc_cnn": "AUC",
    "maker_auc_": "AUC",
    "kernel_auc_": "AUC",
    "biology_r2_": "R2",
    "biology_auc_": "AUC",
    "effect_bias_": "correlation",
    "site_evidence_nats": "nats",
    "trait_evidence_nats": "nats",
    "paired_mae_hu": "HU",
    "clean_mae_hu": "HU",
    "paired_rmse_hu": "HU",
    "paired_psnr_db": "dB",
    "paired_ssim": "1",
    "tissue_shift_hu": "HU",
    "nps_distance": "nats",
    "noise_sd_ratio": "ratio",
    "laa950_bias_points": "percentage points",
    "perc15_bias_hu": "HU",
    "ccc_share_085": "share",
    "feature_difference_share": "share",
    "lung_volume_bias_ml": "ml",
    "nodule_volume_bias_mm3": "mm3",
    "icc_": "1",
    "js_nats": "nats",
    "wasserstein_hu": "HU",
    "rate_nats": "nats",
    "distortion_nats": "nats",
    "mutual_information_nats": "nats",
    "marginal_kl_nats": "nats",
    "total_correlation_nats": "nats",
    "active_units": "dimensions",
    "mig": "1",
    "dci_disentanglement": "1",
    "dci_completeness": "1",
    "dci_informativeness": "1",
    "sap": "1",
    "lipschitz": "1",
    "js_saturation": "share",
    "density": "1",
    "coverage": "share",
}


def unit_of(metric: str) -> str:
    """Unit of a metric; the longest word that `metric` begins with decides.

    Raises:
        ValueError: the metric is not one of this study's words.
    """
    known = [word for word in UNITS if metric == word or metric.startswith(word.rstrip("_") + "_")]
    if not known:
        raise ValueError(f"'{metric}' is not a metric; add it with its unit to UNITS in metrics.py")
    return UNITS[max(known, key=len)]


def metric_row(
    metric: str, method: str, stage: str, estimate: Estimate, site: str = ALL_SITES
) -> dict[str, object]:
    """One row of metrics.tsv. `n` counts independent subjects (scans where no subject is meant).

    Raises:
        ValueError: unknown metric or stage.
    """
    if stage not in STAGES:
        raise ValueError(f"'{stage}' is not a stage; stages are {', '.join(STAGES)}")
    return {
        "metric": metric,
        "method": method,
        "stage": stage,
        "site": site,
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "unit": unit_of(metric),
        "n": estimate.n,
    }


def metrics_table(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table with the columns of metrics.tsv, in the order given."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS))
