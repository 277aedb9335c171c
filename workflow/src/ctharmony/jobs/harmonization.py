"""The work of the rule harmonize: a batch of one site's scans, carried and written."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer
from ctharmony.harmonization.individual import summary
from ctharmony.harmonization.transport import Harmonized
from ctharmony.io.derivatives import Provenance, write_description, write_sidecar
from ctharmony.io.models import read_model
from ctharmony.io.seals import read_sealed_json
from ctharmony.io.tables import read_table, write_table
from ctharmony.io.volumes import Volume, read_displacement, read_volume, write_volume
from ctharmony.registration.displacement import Displacement
from ctharmony.registration.resampling import Grid, resample, resample_at
from ctharmony.registration.transforms import from_itk

LOGGER = logging.getLogger("ctharmony")


def read_references(model: str | Path) -> dict[str, dict[str, Any]]:
    """Site -> profile of the sites that a model was trained on, from the model's folder."""
    return {path.stem: read_sealed_json(path) for path in sorted(Path(model).glob("sites/*.json"))}


class HarmonizationJob:
    """A batch of ingested scans and all that carries them to the target scanner.

    Args:
        site: the batch's site; name: the model's name.
        given: folders `ingested`, `registered`, `template`, `model`, and `adapted` of a query site.
        params: `target`, `settings` (the config block `harmonization`), `seed` and `version`.
        output: folder that the results go to.
    """

    def __init__(self, site: str, name: str, given: Any, params: Any, output: Path) -> None:
        self.site, self.output = site, output
        self.ingested, self.registered = Path(given.ingested), Path(given.registered)
        own = Path(given.adapted or Path(given.model) / "sites")
        profile = own / ("site.json" if given.adapted else f"{site}.json")
        self.model, references = read_model(given.model), read_references(given.model)
        self.harmonizer = ScanHarmonizer.from_profiles(
            references | {site: read_sealed_json(profile)},
            references,
            params.target,
            params.settings,
            self.model.decode,
        )
        self.template = read_volume(Path(given.template) / "template.nii.gz")
        self.curves = read_table(self.ingested / "curves.tsv")
        self.provenance = Provenance.of(name, given.model, profile, params)

    def run(self) -> None:
        """Harmonize every scan and write images, tables and the description of the folder."""
        self.output.mkdir(parents=True)
        rows = read_table(self.ingested / "scans.tsv").to_dict("records")
        table, latents = zip(*map(self._row, rows), strict=True)
        known = [row for row in latents if row]
        columns = None if known else ["scan"]
        write_table(self.output / "harmonized.tsv", pd.DataFrame(list(table)))
        write_table(self.output / "latents.tsv", pd.DataFrame(known, columns=columns))
        write_description(self.output / "dataset_description.json", self.provenance)

    def _row(self, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The scan's rows of both tables; no latents where it is set aside."""
        aside = {"scan": row["scan"], "status": "set_aside"}
        if row["status"] == "set_aside":
            return aside | {"reason": row["reason"]}, {}
        try:
            return self._one(row)
        except ValueError as error:
            LOGGER.exception("%s", row["scan"])
            return aside | {"reason": str(error)}, {}

    def _one(self, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        scan = row["scan"]
        volume = read_volume(self.ingested / f"{scan}.nii.gz")
        mask = read_volume(self.ingested / f"{scan}_mask.nii.gz").hu.astype(np.uint8)
        posterior = self.model.encode_scan(volume.hu, mask, volume.spacing)
        measured = Measured(row, self.curves[self.curves["scan"] == scan])
        result, reason = self.harmonizer.carry(volume.hu, volume.spacing, self.site, measured)
        self._write(row, volume, result)
        LOGGER.info("%s: %s", scan, reason or "harmonized")
        status = "warned" if "out of distribution" in reason else "ok"
        latents = {f"z_s_{i}": value for i, value in enumerate(posterior.mean)}
        latents |= {f"z_b_{i}": value for i, value in enumerate(posterior.biology_mean)}
        told = {"scan": scan, "status": status, "reason": reason}
        return told | summary(result, mask > 0), {"scan": scan, **latents}

    def _write(self, row: dict[str, Any], volume: Volume, result: Harmonized) -> None:
        """The scan's images on its own grid and, where it was registered, on the template's."""
        stem, scan = str(self.output / row["scan"]), row["scan"]
        write_volume(f"{stem}.nii.gz", result.hu, volume.affine)
        write_volume(f"{stem}_change.nii.gz", result.change, volume.affine)
        write_volume(f"{stem}_uncertainty.nii.gz", result.uncertainty, volume.affine)
        source = self.ingested / f"{scan}.json"
        write_sidecar(Path(f"{stem}.json"), source, row, self.provenance)
        if (self.registered / f"{scan}.tfm").is_file():
            stem_there = str(self.registered / scan)
            moved = on_template(Volume(result.hu, volume.affine), stem_there, self.template)
            write_volume(f"{stem}_template.nii.gz", moved, self.template.affine)


def on_template(volume: Volume, stem: str, template: Volume) -> np.ndarray:
    """A scan on the template's grid, deformed where registration deformed it.

    Args:
        volume: the scan, or one on its grid.
        stem: what registration wrote for it begins with this.
        template: the template.
    """
    grid, deformed = Grid(template.hu.shape, template.affine), Path(f"{stem}_displacement.nii.gz")
    if deformed.is_file():  # the affine map is in it
        places = Displacement(read_displacement(deformed), grid).places(np.eye(4))
        return resample_at(volume.hu, volume.affine, places, order=1)
    pose = from_itk(Path(f"{stem}.tfm").read_text())
    return resample(volume.hu, volume.affine, pose, grid, order=1)
