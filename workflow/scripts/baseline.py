"""The simple methods on one batch of scans: what harmonization must beat."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.jobs.baselines import apply_methods, fitted_methods  # noqa: E402

given, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
methods = fitted_methods(given, params.settings, params.target)
table = apply_methods(methods, params.methods, Path(given.ingested), output)
write_table(output / "baselines.tsv", table)
logger.info("%d of %d results", (table["status"] != "set_aside").sum(), len(table))
