"""Harmonize one batch toward the target site's scanner."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from ctharmony.harmonization.individual import (  # noqa: E402
    Limits,
    refusal,
    scan_operator,
    summary,
    unchanged,
)
from ctharmony.harmonization.operators import ScannerOperator  # noqa: E402
from ctharmony.harmonization.settings import TransportSettings  # noqa: E402
from ctharmony.harmonization.transport import Decoded, transport  # noqa: E402
from ctharmony.io.files import read_json  # noqa: E402
from ctharmony.io.models import read_model  # noqa: E402
from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402
from ctharmony.registration.resampling import Grid, resample  # noqa: E402
from ctharmony.registration.transforms import from_itk  # noqa: E402

given, block, site = snakemake.input, snakemake.params.settings, snakemake.wildcards.site
target_site = snakemake.params.target
ingested, registered, out = Path(given.ingested), Path(given.registered), Path(snakemake.output[0])
out.mkdir(parents=True)
model = read_model(given.model)
sites = Path(given.model) / "sites"
own = Path(given.adapted) / "site.json" if given.adapted else sites / f"{site}.json"
profile, target_profile = read_json(own), read_json(sites / f"{target_site}.json")
operators = [ScannerOperator.from_dict(part["operator"]) for part in (profile, target_profile)]
settings, limits = (
    TransportSettings.from_dict(block["transport"]),
    Limits.from_dict(block["limits"]),
)
template = read_volume(Path(given.template) / "template.nii.gz")
curves = read_table(ingested / "curves.tsv")


def harmonized(row, volume):
    """Result and reason for one scan; a reason means that it is returned as it is."""
    if site == target_site:
        return unchanged(volume.hu), "scan of the target site: returned as it is"
    alone, numbers = curves[curves["scan"] == row["scan"]], block["operator"]
    source = scan_operator(
        operators[0], alone, pd.DataFrame([row]), numbers["smoothing_bins"], numbers["scan_weight"]
    )
    reason = refusal(source, operators[1], limits)
    if reason:
        return unchanged(volume.hu), reason
    decoded, note = None, ""
    if profile["reason"]:
        note = f"carried by physics alone, the network being {profile['reason']}"
    elif settings.decoder_trust is not None:
        priors = [np.array(part["prior_mean"]) for part in (profile, target_profile)]
        decoded = Decoded(*model.decode(volume.hu, volume.spacing, *priors))
    return transport(volume.hu, volume.spacing, (source, operators[1]), settings, decoded), note


def write(scan, volume, result):
    """The scan's images on its own grid and, where it was registered, on the template's."""
    write_volume(out / f"{scan}.nii.gz", result.hu, volume.affine)
    write_volume(out / f"{scan}_change.nii.gz", result.change, volume.affine)
    write_volume(out / f"{scan}_uncertainty.nii.gz", result.uncertainty, volume.affine)
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
    result, reason = harmonized(row, volume)
    write(scan, volume, result)
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
