"""The work of the rule export: harmonized scans of one batch as derived DICOM series."""

import logging
from pathlib import Path
from typing import Any

from ctharmony.io.candidates import Taken
from ctharmony.io.dicom_out import DerivedSeries, write_series
from ctharmony.io.files import read_json
from ctharmony.io.pseudonyms import read_key
from ctharmony.io.source_uids import source_uids
from ctharmony.io.volumes import read_volume

LOGGER = logging.getLogger("ctharmony")


class ExportJob:
    """A batch of harmonized scans and where they came from.

    Args:
        harmonized: folder of the batch.
        params: `rows` (of the manifest), `study`, `settings` (the config block `export`),
            `ingest` (the config block `ingest`) and `results`.
        output: gets a folder of slices of every scan.
    """

    def __init__(self, harmonized: Path, params: Any, output: Path) -> None:
        self.harmonized, self.output = harmonized, output
        self.study, self.settings = params.study, params.settings
        taken = Taken.from_config(params.ingest)
        self.taken = (taken.rule, taken.limits)
        self.key = read_key(params.ingest["uid_key_file"], Path(params.results))
        self.manifest = {row["scan"]: row for row in params.rows}
        output.mkdir(parents=True)

    def write(self, row: dict[str, Any]) -> None:
        """Write the series of a scan, given its row of scans.tsv; none where it is set aside."""
        scan, stem = row["scan"], str(self.harmonized / row["scan"])
        if not Path(f"{stem}.json").is_file():
            LOGGER.info("%s: set aside, no series", scan)
            return
        volume = read_volume(f"{stem}.nii.gz")
        grid = (volume.affine, len(volume.hu))
        uids = source_uids(self.manifest[scan], grid, row["sha256"], self.taken, self.key)
        sidecar = read_json(Path(f"{stem}.json"))
        about = DerivedSeries(row, sidecar, self.study, uids, self.settings)
        write_series(self.output / scan, volume.hu.astype("int16"), volume.affine, about)
        LOGGER.info("%s: %d slices", scan, len(volume.hu))
