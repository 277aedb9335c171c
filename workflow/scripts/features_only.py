"""A table of radiomics alone: every harmonizer, what goes and what stays."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.evaluation.feature_study import evaluate_feature_table  # noqa: E402
from ctharmony.evaluation.settings import feature_study_settings  # noqa: E402
from ctharmony.io.feature_tables import joined_tables  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402

params = snakemake.params
settings = feature_study_settings(params.settings, params.probes, params.seed)
found = evaluate_feature_table(joined_tables(params.settings["tables"]), settings)
for name, table in found.items():
    write_table(Path(snakemake.output[0]) / f"{name}.tsv", table)
logger.info("\n%s", found["bars"].round(3).to_string(index=False))
