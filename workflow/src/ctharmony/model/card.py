"""The model card: what a stranger needs to know before using the weights."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from ctharmony.model.honesty import findings
from ctharmony.model.inference import TrainedModel
from ctharmony.model.monitor import HEALTHY, collapse
from ctharmony.model.sampling import PatchSource
from ctharmony.model.scans import ScanData

INTENDED_USE = (
    "Research on multi-site CT: making scans of several scanners comparable. Not a medical device; "
    "harmonized scans are not for diagnosis."
)
LIMITS = (
    "Trained on axial chest CT of the sites named here. Scans far from them are refused by "
    "adaptation. The decoder's mean is smooth and is never an image by itself."
)


def model_card(
    model: TrainedModel, scans: Sequence[ScanData], history: list[dict[str, Any]], seed: int
) -> dict[str, Any]:
    """Data, settings, final terms and health of a model, as plain JSON-ready values.

    `scans` are those given to training. Health is judged on validation scans, or where there are
    none on the training scans, and the card says which.
    """
    watched = [scan for scan in scans if scan.split == "validation" and scan.site in model.sites]
    fitted = [scan for scan in scans if scan.split == "train"]
    held_out = "validation scans" if watched else "training scans: there are no validation subjects"
    source = PatchSource(watched or fitted, model.sites, model.settings)
    health = asdict(collapse(model.network, source, model.settings))
    status = health.pop("status")
    found = findings(history, _divergences(model), model.settings.monitor)
    last = max((row["epoch"] for row in history), default=0)
    return {
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "sites": {site: _site(model, site, fitted) for site in model.sites},
        "scans": dict(Counter(scan.split for scan in scans)),
        "subjects": len({(scan.site, scan.subject) for scan in fitted}),
        "judged_on": held_out,
        "status": "; ".join(([] if found and status == HEALTHY else [status]) + found),
        "health": health,
        "final_terms_nats": {
            f"{row['split']} {row['term']}": row["value"] for row in history if row["epoch"] == last
        },
        "parameters": sum(weight.numel() for weight in model.network.parameters()),
        "settings": model.settings.to_dict(),
        "seed": seed,
        "torch": torch.__version__,
    }


def _divergences(model: TrainedModel) -> dict[str, str]:
    settings = model.settings
    places = {"invariance": settings.invariance, "realism": settings.realism}
    return {place: how.divergence for place, how in places.items()}


def health_rows(card: dict[str, Any], epoch: int) -> list[dict[str, Any]]:
    """History rows (epoch, term, split, value, unit) of the active units that the card counts."""
    split = "validation" if card["judged_on"].startswith("validation") else "train"
    return [
        {"epoch": epoch, "term": term, "split": split, "value": value, "unit": "dimensions"}
        for term, value in card["health"].items()
        if term.startswith("active_")
    ]


def _site(model: TrainedModel, site: str, fitted: Sequence[ScanData]) -> dict[str, Any]:
    mean, _ = model.site_prior(site)
    tissues, shown = model.hu_curve(mean)
    names = list(model.settings.anchors_hu)
    return {
        "scans": sum(scan.site == site for scan in fitted),
        "tissue_hu": dict(zip(names, shown.tolist(), strict=True)),
        "common_tissue_hu": dict(zip(names, tissues.tolist(), strict=True)),
        "log_noise_power": model.residual_spectrum(mean).tolist(),
    }
