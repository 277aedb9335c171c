"""A small study whose scanner effects are put there on purpose, as tables and images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from ctharmony.evaluation.settings import EvaluationSettings, evaluation_settings
from ctharmony.settings import evaluation_block

SITES = {"near": (0.0, 15.0), "far": (25.0, 40.0), "strange": (-15.0, 25.0)}
OWN, TRAVELLING = 4, 2
SHAPE, SPACING = (3, 64, 72), (3.0, 2.0, 2.0)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Picture:
    """What a reader gives."""

    hu: np.ndarray
    spacing: tuple[float, float, float] = SPACING


def subjects_of(site: str) -> list[str]:
    """Ids of a site's own patients and of those who travel."""
    return [f"{site}{index}" for index in range(OWN)] + [f"t{index}" for index in range(TRAVELLING)]


def patient(subject: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Noise-free HU, labels and share of fat."""
    generator = np.random.default_rng(sum(map(ord, subject)))
    y, x = np.mgrid[-1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    fat = generator.uniform(0.05, 0.2)
    hu, labels = np.full(SHAPE, -1000, np.float32), np.zeros(SHAPE, np.uint8)
    body, inner = x**2 + y**2 < 0.9, x**2 + y**2 < 0.9 * (1 - fat) ** 2
    hu[:, body], labels[:, body] = -100, 1
    hu[:, inner] = 50
    lung = ((abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1
    hu[:, lung], labels[:, lung] = -850, 2
    return hu, labels, fat


def seen(subject: str, site: str, seed: int) -> np.ndarray:
    """The patient as the site's scanner shows them, HU."""
    offset, sd = SITES[site]
    noise = np.random.default_rng(seed + sum(map(ord, subject))).normal(0, sd, SHAPE)
    return (patient(subject)[0] + offset + noise).astype(np.float32)


def reader(images: dict[str, np.ndarray]):
    """Reads paths from memory."""
    return lambda path: Picture(images[path].astype(np.float32))


def features_of(scan: str, hu: np.ndarray) -> dict[str, object]:
    """A row of features.tsv."""
    middle = hu[:, 30:34, 30:40]
    return {"scan": scan, "body_stat_mean": float(hu.mean()), "body_stat_sd": float(middle.std())}


def images_of(site: str, subject: str) -> dict[str, np.ndarray]:
    """Images of one scan by path; the method `ctharmony` here undoes the scanner."""
    scan, number, (clean, labels, _) = (
        f"{site}-{subject}",
        list(SITES).index(site),
        patient(subject),
    )
    return {
        f"in/{site}/{scan}.nii.gz": seen(subject, site, number),
        f"in/{site}/{scan}_mask.nii.gz": labels,
        f"out/{site}/{scan}.nii.gz": seen(subject, "near", 50 + number),
        f"base/{site}/band_energy/{scan}.nii.gz": (
            seen(subject, site, 70) / 2 + seen(subject, "near", 90) / 2
        ),
        f"sim/{site}/{scan}_target.nii.gz": seen(subject, "near", 99),
        f"sim/{site}/{scan}_clean.nii.gz": clean,
        f"sim/{site}/{scan}_labels.nii.gz": 3 * (labels == 2),
    }


def tables_of(site: str, images: dict[str, np.ndarray]) -> dict[str, pd.DataFrame]:
    """Tables of one site by path; ingest refused one scan."""
    number, names = list(SITES).index(site), [f"{site}-{one}" for one in subjects_of(site)]
    fat = [patient(one)[2] for one in subjects_of(site)]
    travelling = [int(one[0] == "t") for one in subjects_of(site)]
    who = pd.DataFrame({"scan": names, "site": site, "subject": subjects_of(site)})
    refused = pd.DataFrame([{"scan": f"{site}-bad", "site": site, "status": "set_aside"}])
    plain = pd.DataFrame({"scan": names, "status": "ok"})
    latents = {"scan": names, "z_s_0": number, "z_s_1": 0.1, "z_b_0": fat}
    found = {
        f"in/{site}/scans.tsv": pd.concat([who.assign(status="ok"), refused], ignore_index=True),
        f"sim/{site}/truth.tsv": who.assign(travelling=travelling, body_fat=fat),
        f"out/{site}/harmonized.tsv": plain,
        f"base/{site}/baselines.tsv": plain.assign(method="band_energy"),
        f"out/{site}/latents.tsv": pd.DataFrame(latents),
    }
    for stage, folder in (("before", "in"), ("after", "out")):
        rows = [features_of(scan, images[f"{folder}/{site}/{scan}.nii.gz"]) for scan in names]
        found[f"{stage}/{site}/features.tsv"] = pd.DataFrame(rows)
    return found


def study() -> tuple[dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Tables by path and images by path."""
    tables, images = {}, {}
    for site in SITES:
        for subject in subjects_of(site):
            images |= images_of(site, subject)
        tables |= tables_of(site, images)
    tables["model/history.tsv"] = pd.DataFrame(
        [(epoch, "reconstruction", "validation", 90.0 - epoch, "nats") for epoch in (1, 2)],
        columns=["epoch", "term", "split", "value", "unit"],
    )
    return tables, images


def quick_settings() -> EvaluationSettings:
    """The shipped settings of an evaluation, cut down to seconds."""
    block = evaluation_block(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()))
    block["probes"] |= {
        "folds": 3,
        "forest_trees": 15,
        "bootstrap_repeats": 100,
        "permutations": 49,
    }
    block["cnn"] |= {"steps": 20, "folds": 2}
    block["cnn"]["patches"] |= {"pixel_mm": 2.0, "pixels": 10, "per_scan": 6}
    block |= {"distance_repeats": 20, "headline_features": ["body_stat_mean"]}
    return evaluation_settings(block, 0)


def value(tables, metric, method, stage="image", site="all") -> float:
    """One value of metrics.tsv, of which there must be one row."""
    table = tables["metrics"]
    row = table[
        (table["metric"] == metric)
        & (table["method"] == method)
        & (table["stage"] == stage)
        & (table["site"] == site)
    ]
    assert len(row) == 1, f"{metric}, {method}, {stage}, {site}: {len(row)} rows"
    return float(row["value"].iloc[0])
