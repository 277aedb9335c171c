"""Rule ingest: a batch of one site's scans becomes volumes, masks, sidecars and two tables."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io.candidates import Taken  # noqa: E402
from ctharmony.io.ingest import Intake, ingest_batch  # noqa: E402
from ctharmony.io.pseudonyms import read_key  # noqa: E402
from ctharmony.quality.measure import QualitySettings, analyse  # noqa: E402

settings = snakemake.params.settings
taken = Taken.from_config(settings)
intake = Intake(
    site=snakemake.wildcards.site,
    batch=snakemake.wildcards.batch,
    role=snakemake.params.role,
    folder=Path(snakemake.output[0]),
    limits=taken.limits,
    rule=taken.rule,
    words=taken.words,
    truncated_fraction=settings["truncated_fraction"],
    analyse=partial(analyse, how=QualitySettings.from_config(settings["quality"])),
    logger=logger,
    uid_key=read_key(settings["uid_key_file"], Path(snakemake.params.results)),
)
ingest_batch(snakemake.params.rows, intake)
