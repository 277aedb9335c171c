"""Did the scanner go, did the patient stay: all measures of one model as tables."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import torch  # noqa: E402

from ctharmony.evaluation.gather import baseline_status, study_input  # noqa: E402
from ctharmony.evaluation.settings import evaluation_settings  # noqa: E402
from ctharmony.evaluation.study import evaluate_study  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.jobs.evaluation import measure_scans, read_study  # noqa: E402

torch.set_num_threads(1)
params, output = snakemake.params, Path(snakemake.output[0])
settings = evaluation_settings(params.settings, params.seed)
files, numbers = read_study(snakemake.input, params.rows)
measured = measure_scans(files, settings, params.target, snakemake.threads)
truths = sum(one.case.has_truth for one in measured)
logger.info("%d usable scans, %d with truth", len(measured), truths)
for name, table in evaluate_study(
    study_input(files, numbers, params.target), measured, settings, snakemake.threads
).items():
    write_table(output / f"{name}.tsv", table)
write_table(output / "baselines.tsv", baseline_status(files))
