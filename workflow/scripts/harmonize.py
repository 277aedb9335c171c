"""Harmonize one batch toward the target site's scanner."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.jobs.harmonization import HarmonizationJob  # noqa: E402

given, wildcards, output = snakemake.input, snakemake.wildcards, Path(snakemake.output[0])
HarmonizationJob(wildcards.site, wildcards.model, given, snakemake.params, output).run()
