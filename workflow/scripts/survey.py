"""Rule survey: which scans stand out of their site, and how far the sites lie apart."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io import results  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.quality.survey import SurveySettings, divergences, outliers  # noqa: E402

settings = SurveySettings(**snakemake.params.settings)
folders = snakemake.input.ingested
scans = results.stacked(folders, "scans.tsv")
histograms = results.histograms(scans, results.stacked(folders, "curves.tsv"))
standing_out = outliers(scans, settings)
apart = divergences(histograms, settings, snakemake.params.seed)
write_table(Path(snakemake.output[0]) / "outliers.tsv", standing_out)
write_table(Path(snakemake.output[0]) / "divergences.tsv", apart)
logger.info("%d of %d scans stand out", standing_out["outlier"].sum(), len(standing_out))
