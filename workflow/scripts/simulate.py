"""Virtual patients on one site's virtual scanner: DICOM series and their truth."""

from pathlib import Path

from ctharmony.job import start_job

logger = start_job(snakemake)

import pandas as pd  # noqa: E402

from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.io.unfinished import UnfinishedJob, write_record  # noqa: E402
from ctharmony.io.virtual import write_simulated  # noqa: E402
from ctharmony.phantom.cohort import Study  # noqa: E402

params, folder = snakemake.params, Path(snakemake.output.dicom)
recipe = [params.site, params.scanner, params.target_scanner, params.settings, params.seed]
study = Study(*recipe)
job = UnfinishedJob(folder, [*recipe, params.version])
for row in params.rows:
    if job.has(row):
        logger.info("%s: finished before the interruption", row["scan"])
        continue
    with job.make(row) as place:
        scan = study.scan(row)
        write_simulated(place, scan)
        write_record(place, scan.truth)
    logger.info("%s: %d slices", row["scan"], len(scan.datasets))
records = pd.DataFrame(job.hand_over(params.rows))
write_table((folder / "truth").rename(snakemake.output.truth) / "truth.tsv", records)
