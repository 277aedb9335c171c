"""Onboard a query site: the network stays frozen."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.harmonization.operators import ScannerOperator, estimate_operator  # noqa: E402
from ctharmony.io.files import read_json, write_json  # noqa: E402
from ctharmony.io.models import (  # noqa: E402
    encode_scans,
    read_curves,
    read_model,
    read_usable_rows,
)
from ctharmony.model.adaptation import adapt, unseen_profile  # noqa: E402

given, params, site = snakemake.input, snakemake.params, snakemake.wildcards.site
rows = read_usable_rows(given.ingested, given.registered)
model = read_model(given.model)
posteriors = list(encode_scans(model, rows, logger).values())
profile = adapt(model, posteriors) if posteriors else unseen_profile(model, site)
logger.info("%s: %s", site, profile.reason or f"onboarded from {profile.n_scans} scans")
prior = ScannerOperator.from_dict(read_json(Path(given.model) / "reference.json")["operator"])
operator = prior
if len(rows):
    operator = estimate_operator(read_curves(rows), rows, params.operator_settings, prior)
site_file = Path(snakemake.output[0]) / "site.json"
write_json(site_file, profile.to_dict(site, operator.to_dict()))
