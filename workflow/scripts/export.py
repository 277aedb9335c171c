"""Harmonized scans of one batch as derived DICOM series."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.candidates import Taken  # noqa: E402
from ctharmony.io.dicom_out import DerivedSeries, write_series  # noqa: E402
from ctharmony.io.files import read_json  # noqa: E402
from ctharmony.io.pseudonyms import read_key  # noqa: E402
from ctharmony.io.source_uids import source_uids  # noqa: E402
from ctharmony.io.tables import read_table  # noqa: E402
from ctharmony.io.volumes import read_volume  # noqa: E402

given, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
output.mkdir(parents=True)
taken = Taken.from_config(params.ingest)
key = read_key(params.ingest["uid_key_file"], Path(params.results))
manifest = {row["scan"]: row for row in params.rows}
for row in read_table(Path(given.ingested) / "scans.tsv").to_dict("records"):
    scan, sidecar = row["scan"], Path(given.harmonized) / f"{row['scan']}.json"
    if not sidecar.is_file():
        logger.info("%s: set aside, no series", scan)
        continue
    volume = read_volume(sidecar.with_name(f"{scan}.nii.gz"))
    grid = (volume.affine, len(volume.hu))
    uids = source_uids(manifest[scan], grid, row["sha256"], (taken.rule, taken.limits), key)
    about = DerivedSeries(row, read_json(sidecar), params.study, uids, params.settings)
    write_series(output / scan, volume.hu.astype("int16"), volume.affine, about)
    logger.info("%s: %d slices", scan, len(volume.hu))
