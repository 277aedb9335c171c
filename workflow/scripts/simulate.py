"""Virtual patients on one site's virtual scanner: DICOM series and their truth."""

from pathlib import Path

from ctharmony.job import start_job

logger = start_job(snakemake)

import pandas as pd  # noqa: E402

from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.io.volumes import write_volume  # noqa: E402
from ctharmony.phantom.cohort import Study  # noqa: E402

params = snakemake.params
folder = Path(snakemake.output[0])
study = Study(params.site, params.scanner, params.target_scanner, params.settings, params.seed)
truth = []
for scan in study.scans(params.rows):
    series = folder / "dicom" / scan.scan
    series.mkdir(parents=True)
    for number, dataset in enumerate(scan.datasets, start=1):
        dataset.save_as(series / f"{number:04d}.dcm", enforce_file_format=True)
    for name, volume in (("target", scan.target), ("clean", scan.clean)):
        if volume is not None:
            write_volume(folder / "truth" / f"{scan.scan}_{name}.nii.gz", volume, scan.affine)
    truth.append(scan.truth)
    logger.info("%s: %d slices", scan.scan, len(scan.datasets))
write_table(folder / "truth.tsv", pd.DataFrame(truth))
