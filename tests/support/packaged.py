"""A tiny trained model as `train` leaves it, and what a package of it says."""

from pathlib import Path

import pandas as pd

import synthetic
from ctharmony.harmonization.operators import estimate_operator
from ctharmony.io.files import write_json
from ctharmony.io.models import write_model
from ctharmony.io.tables import write_table
from ctharmony.model.adaptation import reference_profile
from ctharmony.model.card import model_card
from ctharmony.model.settings import Settings
from ctharmony.model.training import train
from ctharmony.quality.measure import QualitySettings, analyse
from study import default_config
from training_block import training_block

SITES = ("north", "south")
SCANNERS = synthetic.SCANNERS | {"query": synthetic.QUERY}
CONFIG = default_config()
QUALITY = QualitySettings.from_config(CONFIG["ingest"]["quality"])


def measured(scan) -> tuple[dict, pd.DataFrame]:
    """A synthetic scan's row and curves, as ingest would write them."""
    _, row, curves = analyse(scan.hu.astype("float32"), scan.spacing, QUALITY)
    row |= {"scan": scan.scan, "site": scan.site, "status": "ok", "slice_thickness_mm": 5.0}
    row |= {"slices": len(scan.hu), "spacing_z_mm": scan.spacing[0], "sha256": "0" * 64}
    return row, curves.assign(scan=scan.scan)


def train_tiny(folder: Path, sites: tuple[str, ...] = SITES) -> Path:
    """Train on two scans of each of some synthetic scanners; the model's folder."""
    scans = [
        synthetic.scan(site, 7 * k + n, scanner=SCANNERS[site])
        for k, site in enumerate(sites)
        for n in range(2)
    ]
    settings = Settings.from_dict(training_block())
    model, history = train(scans, settings, seed=1, threads=1)
    write_model(folder, model, model_card(model, scans, history, 1))
    write_table(folder / "history.tsv", pd.DataFrame(history))
    rows, curves = zip(*map(measured, scans), strict=True)
    table, stack = pd.DataFrame(rows), pd.concat(curves)
    numbers = CONFIG["harmonization"]["operator"]
    write_json(folder / "reference.json", {
        "operator": estimate_operator(stack, table, numbers).to_dict()})  # fmt: skip
    for site in sites:
        own = table[table["site"] == site]
        operator = estimate_operator(stack, own, numbers).to_dict()
        profile = reference_profile(model, site, len(own)).to_dict(site, operator)
        write_json(folder / "sites" / f"{site}.json", profile)
    return folder


def packaged_settings() -> dict:
    """What the rule `package` is told."""
    return {
        "study": "tiny", "model": "factorised", "target": "north",
        "harmonization": CONFIG["harmonization"], "quality": CONFIG["ingest"]["quality"],
        "input": CONFIG["ingest"]["input"],
    }  # fmt: skip
