"""Onboard a query site: the network stays frozen."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.io.models import encode_scans, read_model, read_usable_rows  # noqa: E402
from ctharmony.io.seals import write_sealed_json  # noqa: E402
from ctharmony.jobs.onboarding import onboarded, read_prior  # noqa: E402

given, site = snakemake.input, snakemake.wildcards.site
rows = read_usable_rows(given.ingested, given.registered)
model = read_model(given.model)
posteriors = list(encode_scans(model, rows, logger).values())
numbers = snakemake.params.operator_settings
profile = onboarded(model, site, posteriors, rows, numbers, read_prior(given.model))
write_sealed_json(Path(snakemake.output[0]) / "site.json", profile)
