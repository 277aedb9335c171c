"""Did the scanner go, did the patient stay: all measures of one model as tables."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from concurrent.futures import ThreadPoolExecutor  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402

from ctharmony.cohort import parse_pair  # noqa: E402
from ctharmony.evaluation.bound import PairedBound  # noqa: E402
from ctharmony.evaluation.cases import list_cases  # noqa: E402
from ctharmony.evaluation.gather import gather, study_input  # noqa: E402
from ctharmony.evaluation.settings import evaluation_settings  # noqa: E402
from ctharmony.evaluation.streaming import measure_case  # noqa: E402
from ctharmony.evaluation.study import evaluate_study  # noqa: E402
from ctharmony.harmonization.paired import Pair, fit_paired_wiener  # noqa: E402
from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume  # noqa: E402

torch.set_num_threads(1)
settings = evaluation_settings(snakemake.params.settings, snakemake.params.seed)
pairs = {row["scan"]: parse_pair(row)[1] for row in snakemake.params.rows if parse_pair(row)}
stages = {
    name: [Path(folder) for folder in ([given] if isinstance(given, str) else given)]
    for name, given in snakemake.input.items()
}
files, numbers = gather(stages, read_table, pairs)
cases = list_cases(files)
logger.info("%d usable scans, %d with truth", len(cases), sum(case.has_truth for case in cases))

bound = PairedBound(
    cases,
    read_volume,
    lambda training: fit_paired_wiener([Pair(*pair) for pair in training]),
    settings.wiener_slices,
    snakemake.params.target,
)
measure = partial(
    measure_case,
    read=read_volume,
    paired=settings.paired,
    features=(settings.features, settings.cnn.patches),
    derive=bound,
)
with ThreadPoolExecutor(snakemake.threads) as workers:
    measured = list(workers.map(measure, cases))

given = study_input(files, numbers, snakemake.params.target)
for name, table in evaluate_study(given, measured, settings).items():
    write_table(Path(snakemake.output[0]) / f"{name}.tsv", table)
