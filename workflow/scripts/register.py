"""Rule register: a batch of scans onto the template, each with its transform and a picture."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402
from PIL import Image as Picture  # noqa: E402

from ctharmony.io.files import write_text  # noqa: E402
from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402
from ctharmony.registration.engine import prepare_fixed, register_to  # noqa: E402
from ctharmony.registration.pictures import quality_picture  # noqa: E402
from ctharmony.registration.pyramid import Image  # noqa: E402
from ctharmony.registration.resampling import Grid, resample  # noqa: E402
from ctharmony.registration.settings import RegistrationSettings  # noqa: E402
from ctharmony.registration.summary import empty_row, summarise  # noqa: E402
from ctharmony.registration.transforms import to_itk  # noqa: E402

inputs, output = snakemake.input, Path(snakemake.output[0])
settings = RegistrationSettings.from_config(snakemake.params.settings)
template = read_volume(f"{inputs.template}/template.nii.gz")
grid = Grid(template.hu.shape, template.affine)
template_mask = read_volume(f"{inputs.template}/template_mask.nii.gz").hu
fixed = prepare_fixed(
    Image(template.hu, template.affine, template_mask), settings, snakemake.params.seed
)


def register_scan(scan: str) -> dict:
    """Register one scan, write what it gives, and return its row."""
    volume = read_volume(f"{inputs.ingested}/{scan}.nii.gz")
    mask = read_volume(f"{inputs.ingested}/{scan}_mask.nii.gz").hu
    result = register_to(fixed, Image(volume.hu, volume.affine, mask), settings)
    order = snakemake.params.settings["interpolation_order"]
    moved = resample(volume.hu, volume.affine, result.transform, grid, order)
    picture = Picture.fromarray(quality_picture(template.hu, moved, template.spacing))
    picture.save(output / f"{scan}.png", optimize=False)
    if result.status != "failed":  # what failed is shown, not passed on
        write_text(output / f"{scan}.tfm", to_itk(result.transform))
        write_volume(output / f"{scan}.nii.gz", moved, grid.affine)
    return summarise(scan, result, fixed)


output.mkdir(parents=True, exist_ok=True)
rows = []
for scan in read_table(f"{inputs.ingested}/scans.tsv").itertuples():
    if scan.status == "set_aside":
        row = empty_row(scan.scan, "set_aside", scan.reason)
    else:
        try:
            row = register_scan(scan.scan)
        except ValueError as error:
            row = empty_row(scan.scan, "failed", str(error))
    logger.info("%s: %s %s", scan.scan, row["status"], row["reason"])
    rows.append({"site": scan.site, "batch": scan.batch} | row)
write_table(output / "registration.tsv", pd.DataFrame(rows))
