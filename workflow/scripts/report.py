"""Writes the study's report from everything the other rules left."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from ctharmony.evaluation import report  # noqa: E402
from ctharmony.io import results  # noqa: E402
from ctharmony.io.files import write_text  # noqa: E402

given, params = snakemake.input, snakemake.params
settings = report.ReportSettings(**params.settings)
models = [
    report.ModelRecord(**results.read_model(*folders, given.harmonized, given.get("adapted", [])))
    for folders in zip(params.models, given.evaluation, given.models, strict=True)
]
scans = results.stacked(given.ingested, "scans.tsv")
examples = results.examples(scans, given, settings, params.models[0], params.target)
pages = results.page_examples(scans, given, settings, params.models[0])
small = results.thumbnails(scans, given, settings)
lined_up = results.registration_pictures(scans, given, settings)
study = report.StudyRecord(
    study=params.study,
    target=params.target,
    sites=tuple(params.sites),
    models=tuple(models),
    scans=scans,
    curves=results.stacked(given.ingested, "curves.tsv"),
    outliers=results.read_table(f"{given.survey}/outliers.tsv"),
    divergences=results.read_table(f"{given.survey}/divergences.tsv", ("site_a", "site_b")),
    registration=results.stacked(given.registered, "registration.tsv"),
    baselines=results.stacked(given.baselines, "baselines.tsv"),
    examples=tuple(report.Example(**found) for found in examples),
    page_examples=tuple(report.Example(**found) for found in pages),
    thumbnails=tuple(report.Picture(**found) for found in small),
    registration_pictures=tuple(report.Picture(**found) for found in lined_up),
    demonstrations=results.demonstrations(params.demonstrations),
)
write_text(snakemake.output[0], report.render_report(study, settings))
logger.info("%s: %d scans, %d models", snakemake.output[0], len(scans), len(models))
