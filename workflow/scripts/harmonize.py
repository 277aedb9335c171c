"""Harmonize one batch toward the target site's scanner."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from ctharmony.harmonization.harmonizer import (  # noqa: E402
    Measured,
    ScanHarmonizer,
    SiteScanner,
    scanner_to_aim_at,
)
from ctharmony.harmonization.individual import summary  # noqa: E402
from ctharmony.io.derivatives import Provenance, write_description, write_sidecar  # noqa: E402
from ctharmony.io.files import read_json  # noqa: E402
from ctharmony.io.models import read_model  # noqa: E402
from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402
from ctharmony.registration.resampling import Grid, resample  # noqa: E402
from ctharmony.registration.transforms import from_itk  # noqa: E402

given, params, site = snakemake.input, snakemake.params, snakemake.wildcards.site
ingested, registered, out = Path(given.ingested), Path(given.registered), Path(snakemake.output[0])
out.mkdir(parents=True)
model, folder = read_model(given.model), Path(given.model) / "sites"
own = Path(given.adapted) / "site.json" if given.adapted else folder / f"{site}.json"
references = {file.stem: read_json(file) for file in sorted(folder.glob("*.json"))}
profiles = references | {site: read_json(own)}
sites = {name: SiteScanner.from_profile(profile) for name, profile in profiles.items()}
aim = scanner_to_aim_at(references, params.target, params.settings)
harmonizer = ScanHarmonizer(sites, params.target, params.settings, model.decode, aim)
template = read_volume(Path(given.template) / "template.nii.gz")
curves = read_table(ingested / "curves.tsv")
provenance = Provenance.of(snakemake.wildcards.model, given.model, own, params)


def write(row, volume, result):
    """The scan's images on its own grid and, where it was registered, on the template's."""
    scan = row["scan"]
    write_volume(out / f"{scan}.nii.gz", result.hu, volume.affine)
    write_volume(out / f"{scan}_change.nii.gz", result.change, volume.affine)
    write_volume(out / f"{scan}_uncertainty.nii.gz", result.uncertainty, volume.affine)
    write_sidecar(out / f"{scan}.json", ingested / f"{scan}.json", row, provenance)
    transform = registered / f"{scan}.tfm"
    if transform.is_file():
        grid = Grid(template.hu.shape, template.affine)
        moved = resample(result.hu, volume.affine, from_itk(transform.read_text()), grid, order=1)
        write_volume(out / f"{scan}_template.nii.gz", moved, template.affine)


def one_scan(row):
    """Harmonize and write one scan: its row of the table and its row of latents."""
    scan = row["scan"]
    volume = read_volume(ingested / f"{scan}.nii.gz")
    mask = read_volume(ingested / f"{scan}_mask.nii.gz").hu.astype(np.uint8)
    posterior = model.encode_scan(volume.hu, mask, volume.spacing)
    measured = Measured(row, curves[curves["scan"] == scan])
    result, reason = harmonizer.carry(volume.hu, volume.spacing, site, measured)
    write(row, volume, result)
    logger.info("%s: %s", scan, reason or "harmonized")
    status = "warned" if "out of distribution" in reason else "ok"
    latents = {f"z_s_{i}": value for i, value in enumerate(posterior.mean)}
    latents |= {f"z_b_{i}": value for i, value in enumerate(posterior.biology_mean)}
    figures = summary(result, mask > 0)
    return {"scan": scan, "status": status, "reason": reason, **figures}, {"scan": scan, **latents}


table, latents = [], []
for row in read_table(ingested / "scans.tsv").to_dict("records"):
    if row["status"] == "set_aside":
        table.append({"scan": row["scan"], "status": "set_aside", "reason": row["reason"]})
        continue
    try:
        done = one_scan(row)
    except ValueError as error:
        logger.exception("%s", row["scan"])
        table.append({"scan": row["scan"], "status": "set_aside", "reason": str(error)})
        continue
    table.append(done[0])
    latents.append(done[1])
write_table(out / "harmonized.tsv", pd.DataFrame(table))
write_table(out / "latents.tsv", pd.DataFrame(latents, columns=None if latents else ["scan"]))
write_description(out / "dataset_description.json", provenance)
