"""Tells MLflow what came of the study."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.files import write_json  # noqa: E402
from ctharmony.io.surroundings import benchmark_tags, git_tags, machine_tags  # noqa: E402
from ctharmony.io.told import told_of_study  # noqa: E402
from ctharmony.tracking import TrackingSettings, track  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
settings = TrackingSettings(**params.settings)
benchmarks = Path(params.config["results"]) / "benchmarks"
tags = benchmark_tags(benchmarks) | git_tags(".") | machine_tags()
told = told_of_study(snakemake.input, params, settings.weights, tags)
outcome = track(params.study, told, output.parent, settings)
write_json(output, outcome)
logger.info("%d runs told, %d wait", len(told), outcome["waiting"])
