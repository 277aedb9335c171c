"""Writes the study's report from everything the other rules left."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from ctharmony.evaluation.report import ReportSettings, render_report  # noqa: E402
from ctharmony.io.files import write_text  # noqa: E402
from ctharmony.jobs.report import study_record  # noqa: E402

settings = ReportSettings(**snakemake.params.settings)
study = study_record(snakemake.input, snakemake.params, settings)
write_text(snakemake.output[0], render_report(study, settings))
logger.info("%s: %d scans, %d models", snakemake.output[0], len(study.scans), len(study.models))
