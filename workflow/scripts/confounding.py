"""A study whose sites' patients differ by a known degree: is their biology still there?"""

from ctharmony.job import start_job

logger = start_job(snakemake)

import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.jobs.confounding import ConfoundingStudy  # noqa: E402

params, correlation = snakemake.params, float(snakemake.wildcards.correlation)
study = ConfoundingStudy(snakemake.input, params.settings, params.target, params.seed)
with tempfile.TemporaryDirectory() as folder:
    table = study.table(correlation, snakemake.threads, Path(folder))
write_table(snakemake.output[0], table)
logger.info("\n%s", table.round(3).to_string(index=False))
