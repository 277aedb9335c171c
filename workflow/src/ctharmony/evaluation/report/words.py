"""Names, units and directions of what the metrics table holds, and how numbers are written."""

import math
from dataclasses import dataclass

import pandas as pd

from ctharmony.evaluation.cases import OURS

METHODS = {
    "none": "as scanned",
    "histogram_matching": "histogram matching",
    "band_energy": "frequency-band energy",
    "physics_control": "physics control (no learning)",
    "paired_wiener": "paired Wiener filter (needs pairs)",
    "conditional_vae": "conditional VAE",
    "autoencoder_kl": "autoencoder KL",
    "combat": "ComBat",
    "covbat": "CovBat",
    "nested_combat": "nested ComBat",
    OURS: "ctharmony",
}
BOUNDS = ("paired_wiener",)  # reads the truth, so it shows what is possible and never competes

# metric: label, better is lower (-1), higher (+1) or neither (0)
METRICS = {
    "paired_mae_hu": ("MAE to the target scanner's scan", -1),
    "clean_mae_hu": ("MAE to the noise-free target", -1),
    "paired_rmse_hu": ("RMSE to the target scanner's scan", -1),
    "paired_psnr_db": ("PSNR", 1),
    "paired_ssim": ("SSIM", 1),
    "tissue_shift_hu": ("tissue shift", -1),
    "nps_distance": ("noise texture distance", -1),
    "noise_sd_ratio": ("noise SD, share of the target's", 0),
    "laa950_bias_points": ("LAA-950 bias", -1),
    "perc15_bias_hu": ("Perc15 bias", -1),
    "ccc_share_085": ("share of reproducible features (CCC)", 1),
    "lung_volume_bias_ml": ("lung volume bias", -1),
    "nodule_volume_bias_mm3": ("nodule volume bias", -1),
    "feature_difference_share": ("features that differ between sites (q of 0.05 or less)", -1),
    "js_nats": ("Jensen-Shannon divergence between sites", -1),
    "wasserstein_hu": ("Wasserstein-1 distance between sites", -1),
    "trait_evidence": ("where a trait is read", 0),
    "rate_nats": ("rate, KL(q(z|x) || p(z))", 0),
    "distortion_nats": ("distortion, -E log p(x|z)", -1),
    "mutual_information_nats": ("I_q(X;Z)", 0),
    "marginal_kl_nats": ("KL(q(z) || p(z))", -1),
    "total_correlation_nats": ("total correlation of z", -1),
    "active_units": ("active units", 0),
    "mig": ("mutual information gap", 1),
    "sap": ("SAP score", 1),
    "dci_disentanglement": ("DCI disentanglement", 1),
    "dci_completeness": ("DCI completeness", 1),
    "dci_informativeness": ("DCI informativeness", 1),
    "js_saturation": ("share of JS at log 2", -1),
    "density": ("density of reconstructions", 1),
    "coverage": ("coverage of the data", 1),
    "lipschitz": ("Lipschitz constant", 0),
}
# beginnings: label in which {} is what follows, better
PREFIXES = {
    "site_auc_": ("site probe, {}", -1),
    "maker_auc_": ("maker probe, {}", -1),
    "kernel_auc_": ("kernel probe, {}", -1),
    "biology_r2_": ("R2 of {}", 1),
    "biology_auc_": ("AUC of {}", 1),
    "biology_": ("{}", 1),
    "site_evidence_nats_": ("site, in {}", -1),
    "trait_evidence_nats_": ("patient's trait, in {}", 1),
    "effect_bias_": ("bias of the effect of {}", 0),
    "icc_": ("ICC of {}", 1),
    "tissue_shift_hu_": ("shift of {}", -1),
    "rate_nats_": ("rate of the {} latent", 0),
    "mutual_information_nats_": ("I_q(X;Z) of the {} latent", 0),
    "marginal_kl_nats_": ("KL(q(z) || p(z)) of the {} latent", 0),
    "total_correlation_nats_": ("total correlation of the {} latent", -1),
    "active_units_": ("active units of the {} latent", 0),
    "js_saturation_": ("share of JS at its ceiling, {} critic", -1),
    "lipschitz_": ("Lipschitz constant of the {} critic", 0),
}
# ends of a factor's name that are its unit
ENDINGS = {
    " hu": " (HU)", " mm3": " (mm\u00b3)", " per mm": " (/mm)", " mm": " (mm)", " ml": " (ml)",
    " percent": " (%)", " nats": " (nats)", " degrees": " (\u00b0)",
}  # fmt: skip
SHORT = {
    "laa950": "LAA-950", "cnn": "network", "sd": "SD", "mi": "mutual information", "kvp": "kVp",
    "nps": "noise spectrum", "mtf50": "MTF 50%", "mtf10": "MTF 10%", "perc15": "Perc15",
}  # fmt: skip
UNITS = {
    "hu": "HU", "db": "dB", "1": "", "auc": "", "r2": "", "share": "", "ratio": "",
    "correlation": "", "probability": "", "dimensions": "",
}  # fmt: skip
STAGES = {"image": "images", "features": "radiomic features", "latent": "latent z_b"}


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval; NaN where it is not known. `unit` as in the table."""

    value: float
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    n: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is a number at all."""
        return math.isfinite(self.value)


def number(value: float) -> str:
    """Three significant digits without an exponent; words where there is no number."""
    if value is None or not math.isfinite(value):
        return "not available"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{min(digits, 6)}f}".replace(",", "\u202f")


def unit_name(unit: object) -> str:
    """The unit as it is printed; empty for a pure number."""
    text = "" if unit is None or unit != unit else str(unit)
    return UNITS.get(text.lower(), text)


def written(estimate: Estimate | None, with_unit: bool = True) -> str:
    """`12.3 [11.0, 13.6] HU`, without the interval or the unit where there is none."""
    if estimate is None or not estimate.known:
        return "not available"
    text = number(estimate.value)
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        text += f" [{number(estimate.low)}, {number(estimate.high)}]"
    unit = unit_name(estimate.unit)
    return f"{text} {unit}".strip() if with_unit else text


def metric_label(metric: str) -> str:
    """The metric's name in words."""
    return _entry(metric)[0]


def direction(metric: str) -> int:
    """-1 where lower is better, +1 where higher is, 0 where neither or the nearer to 0."""
    return _entry(metric)[1]


def method_label(method: str) -> str:
    """The method's name in words."""
    return METHODS.get(method, method.replace("_", " "))


def spoken(name: str) -> str:
    """A factor's name in words: `true_laa950_percent` -> true LAA-950 (%)."""
    words = " ".join(SHORT.get(word, word) for word in str(name).split("_"))
    for ending, unit in ENDINGS.items():
        if words.endswith(ending):
            return words.removesuffix(ending) + unit
    return words


def factor_of(metric: str, prefixes: tuple[str, ...]) -> str:
    """What stands after the prefix, in words: biology_r2_body_fat -> body fat."""
    for prefix in prefixes:
        if metric.startswith(prefix):
            return spoken(metric[len(prefix) :])
    return metric.replace("_", " ")


def estimate(
    metrics: pd.DataFrame, metric: str, method: str, stage: str, site: str = "all"
) -> Estimate | None:
    """One row of the metrics table, or None where there is no such row."""
    if metrics.empty:
        return None
    chosen = (metrics["metric"] == metric) & (metrics["method"] == method)
    chosen &= (metrics["stage"] == stage) & (metrics["site"] == site)
    if not chosen.any():
        return None
    row = metrics[chosen].iloc[0]
    values = [float(row.get(name, math.nan)) for name in ("value", "ci_low", "ci_high", "n")]
    return Estimate(values[0], values[1], values[2], str(row.get("unit", "")), values[3])


def _entry(metric: str) -> tuple[str, int]:
    if metric.removesuffix("_sd") in METRICS and metric.endswith("_sd"):
        return f"{METRICS[metric.removesuffix('_sd')][0]}, SD over splits", 0
    if metric in METRICS:
        return METRICS[metric]
    for prefix, (label, better) in PREFIXES.items():
        if metric.startswith(prefix):
            return label.format(spoken(metric[len(prefix) :])), better
    return metric.replace("_", " "), 0
