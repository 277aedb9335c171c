"""A small results folder as the rules leave it, with numbers that a test can foretell."""

from pathlib import Path

import numpy as np
import pandas as pd

from ctharmony.evaluation import figures, traversals
from ctharmony.io.files import write_json
from ctharmony.io.tables import write_table
from ctharmony.io.volumes import write_volume
from fabricated_evaluation import evaluation_tables, metrics

SITES = (
    {"site": "alpine", "role": "reference", "scanner": "a"},
    {"site": "harbour", "role": "reference", "scanner": "b"},
    {"site": "summit", "role": "query", "scanner": "c"},
)
TERMS = (
    ("reconstruction", 90.0), ("rate_biology", 12.0), ("rate_scanner", 3.0),
    *((f"{latent}_{part}", 5.0) for latent in ("scanner", "biology")
      for part in ("rate", "mutual_information", "marginal_kl", "total_correlation")),
)  # fmt: skip

SETTINGS = {
    "example_scans": 1, "example_slices": 1, "example_total": 6, "scan_pictures": 4,
    "thumbnails_per_site": 2,
    "registration_pictures_per_site": 1, "picture_pixels": 256, "jpeg_quality": 85,
    "windows": {
        "lung": {"level": -600, "width": 1500}, "soft_tissue": {"level": 40, "width": 400},
        "bone": {"level": 400, "width": 1800},
    },
    "change_limit_hu": 150.0, "auc_limit": 0.65, "biology_loss": 0.05, "coverage_limit": 0.3,
    "tissue_shift_limit_hu": 5.0, "few": 10, "ccc_threshold": 0.85,
}  # fmt: skip


def fabricate(results: Path, scans: int = 3, models: tuple[str, ...] = ("plain",)) -> dict:
    """Write a results folder; return the `input` and `params` of the report's script."""
    batches = [f"{site['site']}/b0000" for site in SITES]
    for number, site in enumerate(SITES):
        _site(results, str(site["site"]), number, scans, models)
    for number, name in enumerate(models):
        _model(results, name, number)
    _survey(results / "survey")

    def folders(stage: str) -> list[str]:
        return [str(results / stage / batch) for batch in batches]

    harmonized = [str(results / "harmonized" / m / batch) for m in models for batch in batches]
    return {
        "input": {
            "ingested": folders("ingested"), "survey": str(results / "survey"),
            "registered": folders("registered"),
            "harmonized": harmonized,
            "models": [str(results / "models" / m) for m in models],
            "adapted": [str(results / "adapted" / m / "summit") for m in models],
            "evaluation": [str(results / "evaluation" / m) for m in models],
            "traversals": [str(results / "traversals" / m) for m in models],
            "packages": [str(results / "packages" / m) for m in models],
        },
        "params": {
            "study": "fabricated", "models": list(models), "sites": [dict(s) for s in SITES],
            "target": "alpine", "aim": "target", "settings": SETTINGS, "seed": 1,
            "demonstrations": {},
        },
    }  # fmt: skip


def chest(seed: int, noise: float, pixels: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """(4, pixels, pixels) HU of two lungs in a body and its mask."""
    rows, columns = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    body = (columns / 0.9) ** 2 + (rows / 0.65) ** 2 < 1
    lungs = ((np.abs(columns) - 0.42) / 0.28) ** 2 + (rows / 0.45) ** 2 < 1
    spine = (columns / 0.1) ** 2 + ((rows + 0.45) / 0.1) ** 2 < 1
    hu = np.select([~body, lungs, spine], [-1000.0, -850.0, 450.0], 40.0)
    mask = np.where(lungs, 2, body.astype(int)).astype(np.uint8)
    stream = np.random.default_rng(seed)
    volume = hu + stream.normal(0, noise, (4, pixels, pixels))
    return volume.astype(np.float32), np.repeat(mask[None], 4, axis=0)


def _site(results: Path, site: str, number: int, scans: int, models: tuple[str, ...]) -> None:
    ingested = results / "ingested" / site / "b0000"
    registered = results / "registered" / site / "b0000"
    names = [f"{site}-{k:02d}" for k in range(scans)]
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    for k, name in enumerate(names):
        volume, mask = chest(10 * number + k, 15.0 + 10 * number)
        write_volume(ingested / f"{name}.nii.gz", volume, affine)
        write_volume(ingested / f"{name}_mask.nii.gz", mask, affine, np.uint8)
        for model in models:
            folder = results / "harmonized" / model / site / "b0000"
            write_volume(folder / f"{name}.nii.gz", 0.8 * volume, affine)
        registered.mkdir(parents=True, exist_ok=True)
        figure = figures.scatter({"a": ([0, 1], [0, 1])}, "x (mm)", "y (mm)")
        (registered / f"{name}.png").write_bytes(figures.save(figure, "png", dpi=60))
    write_table(ingested / "scans.tsv", _scans(site, number, names))
    write_table(ingested / "curves.tsv", _curves(names, number))
    write_table(registered / "registration.tsv", pd.DataFrame({
        "scan": names, "status": "ok", "reason": None, "mi_before_nats": 0.4,
        "mi_after_nats": 0.9 + 0.01 * np.arange(scans), "coverage": 0.95}))  # fmt: skip
    for model in models:
        _harmonized(results / "harmonized" / model / site / "b0000", names, number)


def _scans(site: str, number: int, names: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({
        "site": site, "batch": "b0000", "scan": names,
        "subject": [f"s{k:02d}" for k in range(len(names))], "split": "test",
        "role": SITES[number]["role"], "status": "ok", "reason": None,
        "manufacturer": "VIRTUAL", "kernel": ["B30f", "B50f", "B70f"][number], "kvp": 120.0,
        "slice_thickness_mm": 3.0, "slices": 4, "contrast_nats": 1.5 + 0.1 * number,
        "noise_sd_hu": 15.0 + 10 * number + np.arange(len(names)), "mtf50_per_mm": 0.4,
        "lung_volume_ml": 4200.0, "laa950_percent": 3.0 + number, "age": 60.0,
    })  # fmt: skip
    frame.loc[frame.index[-1], ["status", "reason"]] = ["warned", "<b>only 4 slices</b>"]
    return frame


def _curves(names: list[str], number: int) -> pd.DataFrame:
    frequency = 0.0125 + 0.025 * np.arange(40)
    hu = np.arange(-1045.0, 2050.0, 10.0)
    peaks = np.exp(-(((hu + 850) / 40) ** 2)) + np.exp(-(((hu - 40 - 10 * number) / 30) ** 2))
    shapes = {
        "histogram": (hu, peaks / peaks.sum()),
        "nps": (frequency, 400 * frequency * np.exp(-frequency * (6 - number))),
        "mtf": (frequency, np.where(frequency < 0.9, np.exp(-((frequency / 0.5) ** 2)), np.nan)),
    }
    return pd.concat([
        pd.DataFrame({"scan": name, "curve": curve, "x": x, "y": y})
        for name in names for curve, (x, y) in shapes.items()
    ])  # fmt: skip


def _survey(folder: Path) -> None:
    """One scan of harbour stands out; alpine and summit lie far apart."""
    rows = [
        {"site": str(site["site"]), "scan": f"{site['site']}-{k:02d}", "outlier": False,
         "robust_z": 0.5, "measure": "noise_sd_hu", "value": 15.0, "site_median": 15.0}
        for site in SITES for k in range(3)
    ]  # fmt: skip
    rows[4] |= {"outlier": True, "robust_z": 7.5, "reason": "noise_sd_hu is 99"}
    write_table(folder / "outliers.tsv", pd.DataFrame(rows))
    pairs = [("alpine", "harbour", 0.02), ("alpine", "summit", 0.06), ("harbour", "summit", 0.04)]
    write_table(folder / "divergences.tsv", pd.DataFrame([
        {"site_a": a, "site_b": b, "subjects_a": 3, "subjects_b": 3, "js_nats": js, "js_p": 0.1,
         "wasserstein_hu": 400 * js, "wasserstein_p": np.nan} for a, b, js in pairs
    ]))  # fmt: skip


def _harmonized(folder: Path, names: list[str], number: int) -> None:
    write_table(folder / "harmonized.tsv", pd.DataFrame({
        "scan": names, "status": "ok", "reason": None,
        "mean_absolute_change_hu": 5.0 * number, "max_absolute_change_hu": 80.0}))  # fmt: skip
    stream = np.random.default_rng(number)
    latents = pd.DataFrame({"scan": names})
    for k in range(4):
        latents[f"z_s_{k}"] = number + 0.1 * stream.normal(size=len(names))
        latents[f"z_b_{k}"] = stream.normal(size=len(names))
    write_table(folder / "latents.tsv", latents)


def _model(results: Path, name: str, number: int) -> None:
    folder = results / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(bytes(64))
    health = {"active_scanner": 4, "active_biology": 8, "loss_without_scanner": 12.0}
    card = {"status": "healthy", "judged_on": "validation scans", "health": health, "seed": number}
    write_json(folder / "model_card.json", card)
    for site in ("alpine", "harbour"):
        write_json(folder / "sites" / f"{site}.json", profile(3, 0.0))
    write_json(results / "adapted" / name / "summit" / "site.json", profile(2, 1.5))
    rows = [
        {"epoch": epoch, "term": term, "split": split, "value": start / (1 + epoch), "unit": "nats"}
        for epoch in range(5)
        for term, start in TERMS
        for split in ("train", "validation")
    ]
    write_table(folder / "history.tsv", pd.DataFrame(rows))
    evaluation = results / "evaluation" / name
    write_table(evaluation / "metrics.tsv", metrics(number))
    for table, frame in evaluation_tables().items():
        write_table(evaluation / f"{table}.tsv", frame)
    swept = results / "traversals" / name
    swept.mkdir(parents=True, exist_ok=True)
    steps = chest(number, 0.0)[0][:3] + np.array([0, 40, 80]).reshape(3, 1, 1)
    preset = {"level": 40.0, "width": 400.0}
    picture = traversals.strip(steps, ["alpine", "harbour", "summit"], preset, 100.0)
    (swept / "z_s_site.png").write_bytes(traversals.png(picture))
    (swept / "z_s_site.webp").write_bytes(traversals.video(steps, preset, 160))


def profile(scans: int, distance: float) -> dict:
    """What a model holds of a site."""
    frequency = 0.0125 + 0.025 * np.arange(40)
    curve = np.exp(-frequency).tolist()
    operator = {
        "frequencies": frequency.tolist(),
        "mtf": [*curve[:20], *[None] * 20],
        "nps": curve,
        "noise_sd": 12.0,
        "hu_anchors": {"air": -1000.0, "fat": -90.0},
    }
    return {"n_scans": scans, "operator": operator, "out_of_distribution": distance, "reason": "",
            "prior_mean": [0.1 * scans, -0.2], "prior_logvar": [0.0, -1.0]}  # fmt: skip
