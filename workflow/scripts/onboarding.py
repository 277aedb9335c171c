"""Onboard a query site from ever more scans and hold the results against the truth."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.evaluation.onboarding import subsets, summarise  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.jobs.onboarding import OnboardingStudy  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
how, site = params.study, snakemake.wildcards.site
study = OnboardingStudy(site, snakemake.input, params.target, params.carrying)
parts = subsets(list(study.posteriors), how["sizes"], how["repeats"], params.seed)
rows = [row for part in parts for row in study.errors(part)]
errors = pd.DataFrame(rows + study.errors_of_trained())
write_table(output / "errors.tsv", errors)
write_table(output / "onboarding.tsv", summarise(errors))
