"""The work of the rules template and register: files in, registration, files out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.io import registered
from ctharmony.io.volumes import read_volume, write_displacement
from ctharmony.registration import template
from ctharmony.registration.batches import Outcome, find_device, register_batch
from ctharmony.registration.deformable import DeformableSettings, deform
from ctharmony.registration.displacement import Displacement
from ctharmony.registration.engine import RegistrationResult, prepare_fixed
from ctharmony.registration.group_mean import group_mean
from ctharmony.registration.pictures import quality_picture
from ctharmony.registration.pyramid import Image, build_levels
from ctharmony.registration.resampling import Grid, resample, resample_at
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.summary import empty_row, summarise
from ctharmony.registration.transforms import to_itk


class RegistrationJob:
    """A batch of ingested scans and the template they are registered to."""

    def __init__(
        self, template: str, ingested: str, output: Path, block: dict[str, Any], seed: int
    ):
        self.settings = RegistrationSettings.from_config(block)
        self.order = block["interpolation_order"]
        self.ingested, self.output = ingested, output
        self.template, mask = registered.read_template(template)
        self.grid = Grid(self.template.hu.shape, self.template.affine)
        self.image = Image(self.template.hu, self.template.affine, mask)
        self.deformable = DeformableSettings.from_config(block["deformable"])
        self.fixed = prepare_fixed(self.image, self.settings, seed)
        self.device = find_device(block["device"])
        self.at_once = 1 if self.device.type == "cpu" else block["device_batch"]

    def rows(self, scans: pd.DataFrame) -> Iterator[dict[str, Any]]:
        """Each scan's row of registration.tsv, in order; what can be written of it is written.

        Args:
            scans: the batch's scans.tsv. As many of them as fit on the device are read at once.
        """
        for first in range(0, len(scans), self.at_once):
            few = list(scans.iloc[first : first + self.at_once].itertuples())
            read = {row.scan: self.read(row.scan) for row in few if row.status != "set_aside"}
            images = [image for image in read.values() if isinstance(image, Image)]
            found = iter(register_batch(self.fixed, images, self.settings, self.device))
            for row in few:
                if row.status == "set_aside":
                    yield empty_row(row.scan, "set_aside", row.reason)
                    continue
                image = read.pop(row.scan)
                outcome = next(found) if isinstance(image, Image) else image
                yield self.row(row.scan, image, outcome)

    def read(self, scan: str) -> Image | ValueError:
        """The scan, or why it cannot be read."""
        try:
            volume, mask = registered.read_masked(self.ingested, scan)
        except ValueError as error:
            return error
        return Image(volume.hu, volume.affine, mask)

    def row(self, scan: str, image: Image, outcome: Outcome) -> dict[str, Any]:
        """The scan's row, after its files are written; of a scan that failed, why."""
        try:
            if isinstance(outcome, ValueError):
                raise outcome
            self.write(scan, image, outcome)
        except ValueError as error:
            return empty_row(scan, "failed", str(error))
        return summarise(scan, outcome, self.fixed)

    def write(self, scan: str, image: Image, result: RegistrationResult) -> None:
        """Write transform, volume and picture.

        A failed scan is shown in its picture and not passed on.
        """
        bent = self.bend(scan, image, result)
        if bent is None:
            moved = resample(image.hu, image.affine, result.transform, self.grid, self.order)
        else:
            places = bent.places(result.transform)
            moved = resample_at(image.hu, image.affine, places, self.order)
        pixels = quality_picture(self.template.hu, moved, self.template.spacing)
        registered.write_picture(self.output / f"{scan}.png", pixels)
        if result.status != "failed":
            text = to_itk(result.transform)
            registered.write_registered(self.output / scan, text, moved, self.grid.affine)

    def bend(self, scan: str, image: Image, result: RegistrationResult) -> Displacement | None:
        """The displacement on the template's grid, written for ITK; None where none is wanted."""
        how = self.deformable
        if not how.enabled or result.status == "failed":
            return None
        one, two = (
            build_levels(scan, self.settings.at(how.levels_mm)) for scan in (self.image, image)
        )
        found = deform(one, two, result.transform, how).on(self.grid)
        whole = found.after(result.transform)
        path = self.output / f"{scan}_displacement.nii.gz"
        write_displacement(path, whole.vectors, self.grid.affine)
        return found


def make_template(
    ingested: list[str], output: Path, block: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Freeze the file a study names, the medoid of its reference sites or their mean.

    Returns:
        the record written beside it: source, and the likeness of each candidate.

    Raises:
        ValueError: no usable training scan, or the named file cannot be read.
    """
    if block["template"] in ("medoid", "group_mean"):
        frozen, record = _from_scans(ingested, block, seed)
    else:
        volume, mask = read_volume(block["template"]), block["template_mask"]
        body = read_volume(mask).hu if mask else template.find_body(volume.hu)
        image = Image(volume.hu, volume.affine, body)
        frozen = template.freeze(image, block["template_spacing_mm"])
        record = {"source": block["template"], "likeness": {}}
    output.mkdir(parents=True, exist_ok=True)
    registered.write_template(output, frozen, record)
    return record


def _from_scans(
    ingested: list[str], block: dict[str, Any], seed: int
) -> tuple[Image, dict[str, Any]]:
    settings = RegistrationSettings.from_config(block)
    chosen = template.candidates(registered.ingested_scans(ingested), block["candidates"])
    images = []
    for folder, scan in zip(chosen.folder, chosen.scan, strict=True):
        volume, mask = registered.read_masked(folder, scan)
        images.append(Image(volume.hu, volume.affine, mask))
    best, likeness = template.medoid(images, settings, seed)
    names = list(chosen.site + "/" + chosen.scan)
    frozen = template.freeze(images[best], block["template_spacing_mm"])
    source = names[best]
    if block["template"] == "group_mean":
        frozen, used = group_mean(frozen, images, settings, block["group_mean_rounds"], seed)
        source = f"mean of {sum(used)} scans begun at {source}"
    return frozen, {"source": source, "likeness": dict(zip(names, likeness.tolist(), strict=True))}
