"""Rule ingest: a batch of one site's scans becomes volumes, masks, sidecars and two tables."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io.dicom_series import SeriesRule  # noqa: E402
from ctharmony.io.ingest import Intake, ingest_batch  # noqa: E402
from ctharmony.io.scan import InputLimits  # noqa: E402
from ctharmony.io.sidecar import Vocabulary  # noqa: E402
from ctharmony.quality.measure import QualitySettings, analyse  # noqa: E402

settings = snakemake.params.settings
intake = Intake(
    site=snakemake.wildcards.site,
    batch=snakemake.wildcards.batch,
    role=snakemake.params.role,
    folder=Path(snakemake.output[0]),
    limits=InputLimits(**settings["input"]),
    rule=SeriesRule(**settings["selection"]),
    words=Vocabulary(**settings["vocabulary"]),
    truncated_fraction=settings["truncated_fraction"],
    analyse=partial(analyse, how=QualitySettings.from_config(settings["quality"])),
    logger=logger,
)
ingest_batch(snakemake.params.rows, intake)
