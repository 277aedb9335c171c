"""Harmonized scans of one batch as derived DICOM series."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.tables import read_table  # noqa: E402
from ctharmony.jobs.export import ExportJob  # noqa: E402

given, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
job = ExportJob(Path(given.harmonized), params, output)
for row in read_table(Path(given.ingested) / "scans.tsv").to_dict("records"):
    job.write(row)
