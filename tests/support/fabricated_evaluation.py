"""Tables of an evaluation with numbers that a test can foretell."""

import numpy as np
import pandas as pd

METHODS = {"none": 28.0, "histogram_matching": 26.0, "physics_control": 15.0, "ctharmony": 14.0}


def evaluation_tables() -> dict[str, pd.DataFrame]:
    """The tables beside metrics.tsv, by name."""
    stream = np.random.default_rng(3)
    both = [("none", 1.0), ("ctharmony", 0.25)]
    methods = np.repeat(list(METHODS), 6)
    paired = pd.DataFrame({
        "scan": "summit-00", "site": "summit", "subject": "s00", "method": methods,
        "metric": "laa950_bias_points", "value": stream.normal(2, 1, len(methods))})  # fmt: skip
    pairs = [("alpine", "harbour", 0.02), ("alpine", "summit", 0.06), ("harbour", "summit", 0.04)]
    divergence = [
        {"method": m, "site_a": a, "site_b": b, "js_nats": k * js, "wasserstein_hu": 400 * k * js}
        for m, k in both
        for a, b, js in pairs
    ]
    features = pd.DataFrame({
        "feature": [f"body_{i}" for i in range(10)] * 2,
        "method": np.repeat(["none", "ctharmony"], 10),
        "ccc": np.r_[np.linspace(0.2, 0.9, 10), np.linspace(0.6, 0.98, 10)], "icc": 0.7, "n": 6,
    })  # fmt: skip
    limits = [{"metric": "laa950_bias_points", "method": m, "site": "all", "bias": 2 * k,
               "lower": -k, "upper": 5 * k, "n": 6} for m, k in both]  # fmt: skip
    notes = pd.DataFrame([{"question": "clean_mae_hu", "method": "ctharmony", "stage": "image",
                           "site": "all", "reason": "no noise-free truth is known"}])  # fmt: skip
    overlap = pd.DataFrame([{"factor": "age", "first_site": "alpine", "second_site": "summit",
                             "overlap": 0.7, "n_first": 3, "n_second": 3}])  # fmt: skip
    fared = {"site": "summit", "scan": "summit-00", "method": "band_energy", "status": "ok"}
    return {"paired": paired, "site_divergence": pd.DataFrame(divergence), "notes": notes,
            "baselines": pd.DataFrame([fared]), **explained(both),
            "feature_agreement": features, "overlap": overlap,
            "bland_altman": pd.DataFrame(limits)}  # fmt: skip


def explained(both: list[tuple[str, float]]) -> dict[str, pd.DataFrame]:
    """Evidence of site and density, and its maps, of which each method keeps a share."""
    kinds = [("site", "linear", "image_nps_3", 0.8),
             ("site", "network", "patch_0.1_to_0.2_per_mm", 0.3),
             ("density_hu", "places", "patch_grey_values", 0.5)]  # fmt: skip
    evidence = [{"question": q, "probe": p, "method": m, "site": "summit", "evidence": e,
                 "kl_nats": k * v, "gain_nats": k * v, "n": 3}
                for m, k in both
                for q, p, e, v in kinds]  # fmt: skip
    places = [{"site": "summit", "scan": "summit-00", "method": m, "slice": z,
               "row": 40.0 + 8 * y, "column": 40.0, "tissue": "lung",
               "site_gain_nats": k * (1 - y), "density_hu_gain_nats": 0.4}
              for m, k in both
              for z in (1, 2, 3, 4)
              for y in (0, 1)]  # fmt: skip
    return {"evidence": pd.DataFrame(evidence), "evidence_map": pd.DataFrame(places)}


def metrics(number: int = 0) -> pd.DataFrame:
    """Metrics in which ours wins in MAE, loses in SSIM, and the site can still be told a little."""
    rows = []

    def add(metric: str, method: str, stage: str, value: float, unit: str, half: float) -> None:
        rows.append({"metric": metric, "method": method, "stage": stage, "site": "all",
                     "value": value, "ci_low": value - half, "ci_high": value + half,
                     "unit": unit, "n": 12})  # fmt: skip

    for method, value in METHODS.items():
        add("paired_mae_hu", method, "image", value, "HU", 1.5)
        add("paired_ssim", method, "image", 0.95 if method == "physics_control" else 0.9, "1", 0.01)
    add("clean_mae_hu", "ctharmony", "image", float("nan"), "HU", float("nan"))
    for method, auc, biology in (("none", 0.99, 0.8), ("ctharmony", 0.78, 0.78)):
        add("site_auc_linear", method, "features", auc - 0.02, "1", 0.03)
        add("site_auc_forest", method, "features", auc, "1", 0.03)
        add("biology_r2_body_fat", method, "features", biology, "1", 0.05)
        add("site_evidence_nats_lung", method, "image", auc - 0.7, "nats", 0.1)
        add("biology_r2_age", method, "features", 0.02, "1", 0.05)
    for metric, value in (("rate_nats", 20.0 + number), ("distortion_nats", 80.0 - number),
                          ("mutual_information_nats", 4.0), ("marginal_kl_nats", 1.0)):  # fmt: skip
        add(metric, "ctharmony", "latent", value, "nats", 0.5)
    add("active_units", "ctharmony", "latent", 6.0, "1", 0.0)
    return pd.DataFrame(rows)
