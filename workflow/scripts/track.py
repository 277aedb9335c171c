"""Tells MLflow what came of the study."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io import records  # noqa: E402
from ctharmony.io.files import write_json  # noqa: E402
from ctharmony.io.tables import read_table  # noqa: E402
from ctharmony.settings import expand_models  # noqa: E402
from ctharmony.tracking import TrackingSettings, track  # noqa: E402

given, params = snakemake.input, snakemake.params
settings = TrackingSettings(**params.settings)
sheets = [params.config["sites"], *read_table(params.config["sites"])["manifest"]]
benchmarks = Path(params.config["results"]) / "benchmarks"
parent = records.study_record(
    params.study, params.config, given.report, sheets, params.demonstrations
)
tags = records.benchmark_tags(benchmarks) | records.git_tags(".")
told = [replace(parent, tags=tags)]
for name, model, evaluation in zip(params.models, given.models, given.evaluation, strict=True):
    own = expand_models(params.config)[name]
    child = records.model_record(name, model, evaluation, own, settings.weights)
    told.append(replace(child, parent=parent.content, tags=tags))
outcome = track(params.study, told, Path(snakemake.output[0]).parent, settings)
write_json(snakemake.output[0], outcome)
logger.info("%d runs told, %d wait", len(told), outcome["waiting"])
