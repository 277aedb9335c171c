"""Rule template: freeze the file a study names, or the medoid of its reference sites."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.io.files import write_json  # noqa: E402
from ctharmony.io.tables import read_table  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402
from ctharmony.registration import template  # noqa: E402
from ctharmony.registration.pyramid import Image  # noqa: E402
from ctharmony.registration.settings import RegistrationSettings  # noqa: E402

settings, output = snakemake.params.settings, Path(snakemake.output[0])


def read_image(path: str, mask: str | None) -> Image:
    volume = read_volume(path)
    body = read_volume(mask).hu if mask else template.find_body(volume.hu)
    return Image(volume.hu, volume.affine, body)


if settings["template"] == "medoid":
    scans = pd.concat(
        read_table(f"{folder}/scans.tsv").assign(folder=folder)
        for folder in snakemake.input.ingested
    )
    chosen = template.candidates(scans, settings["candidates"])
    stems = chosen.folder + "/" + chosen.scan
    images = [read_image(f"{stem}.nii.gz", f"{stem}_mask.nii.gz") for stem in stems]
    best, likeness = template.medoid(
        images, RegistrationSettings.from_config(settings), snakemake.params.seed
    )
    likeness = pd.Series(likeness, index=chosen.site + "/" + chosen.scan)
    image, record = images[best], {"source": likeness.index[best], "likeness": likeness.to_dict()}
else:
    image = read_image(settings["template"], settings["template_mask"])
    record = {"source": settings["template"], "likeness": {}}
frozen = template.freeze(image, settings["template_spacing_mm"])
write_volume(output / "template.nii.gz", frozen.hu, frozen.affine)
write_volume(output / "template_mask.nii.gz", frozen.mask, frozen.affine, "uint8")
write_json(output / "template.json", record | {"shape": frozen.hu.shape, "affine": frozen.affine})
logger.info("template: %s of %d candidates", record["source"], max(1, len(record["likeness"])))
