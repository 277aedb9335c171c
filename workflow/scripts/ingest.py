"""Rule ingest: a batch of one site's scans becomes volumes, masks, sidecars and two tables."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.ingest import ingest_batch  # noqa: E402
from ctharmony.io.pseudonyms import read_key  # noqa: E402
from ctharmony.jobs.ingest import make_intake  # noqa: E402

settings = snakemake.params.settings
intake = make_intake(
    settings,
    (snakemake.wildcards.site, snakemake.wildcards.batch, snakemake.params.role),
    Path(snakemake.output[0]),
    logger,
    read_key(settings["uid_key_file"], Path(snakemake.params.results)),
)
ingest_batch(snakemake.params.rows, intake)
