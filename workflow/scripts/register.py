"""Rule register: a batch of scans onto the template, each with its transform and a picture."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.jobs.registration import RegistrationJob  # noqa: E402

inputs, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
settings = snakemake.config["registration"] | params.settings
job = RegistrationJob(inputs.template, inputs.ingested, output, settings, params.seed)
output.mkdir(parents=True, exist_ok=True)
scans, rows = read_table(f"{inputs.ingested}/scans.tsv"), []
for scan, row in zip(scans.itertuples(), job.rows(scans), strict=True):
    logger.info("%s: %s %s", row["scan"], row["status"], row["reason"])
    rows.append({"site": scan.site, "batch": scan.batch} | row)
write_table(output / "registration.tsv", pd.DataFrame(rows))
