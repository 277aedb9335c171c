"""Rule template: freeze the file a study names, or the medoid of its reference sites."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.files import write_json  # noqa: E402
from ctharmony.io.tables import read_tables  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402
from ctharmony.registration.pyramid import Image  # noqa: E402
from ctharmony.registration.settings import RegistrationSettings  # noqa: E402
from ctharmony.registration.template import find_body, freeze, medoid, take_evenly  # noqa: E402

settings, output = snakemake.params.settings, Path(snakemake.output[0])


def read_image(hu: Path, mask: Path | None) -> Image:
    volume = read_volume(hu)
    body = find_body(volume.hu) if mask is None else read_volume(mask).hu
    return Image(volume.hu, volume.affine, body.astype("uint8"))


def choose_training_scan() -> tuple[str, Image, dict[str, float]]:
    folders = {tuple(Path(folder).parts[-2:]): Path(folder) for folder in snakemake.input.ingested}
    scans = read_tables([folder / "scans.tsv" for folder in folders.values()])
    usable = scans[scans.status.isin(["ok", "warned"]) & scans.split.eq("train")]
    chosen = take_evenly(
        list(usable[["site", "batch", "scan"]].itertuples(index=False)), settings["candidates"]
    )
    images = [
        read_image(
            folders[s.site, s.batch] / f"{s.scan}.nii.gz",
            folders[s.site, s.batch] / f"{s.scan}_mask.nii.gz",
        )
        for s in chosen
    ]
    best, likeness = medoid(
        images, RegistrationSettings.from_config(settings), snakemake.params.seed
    )
    names = [f"{s.site}/{s.scan}" for s in chosen]
    return names[best], images[best], dict(zip(names, likeness, strict=True))


if settings["template"] == "medoid":
    source, image, likeness = choose_training_scan()
else:
    mask = settings["template_mask"]
    source, likeness = settings["template"], {}
    image = read_image(Path(source), Path(mask) if mask else None)
volume, body, grid = freeze(image, settings["template_spacing_mm"])
write_volume(output / "template.nii.gz", volume, grid.affine)
write_volume(output / "template_mask.nii.gz", body, grid.affine, "uint8")
write_json(
    output / "template.json",
    {
        "source": source,
        "likeness": likeness,
        "spacing_mm": settings["template_spacing_mm"],
        "shape": grid.shape,
    },
)
logger.info("template: %s, one of %d candidates", source, max(1, len(likeness)))
