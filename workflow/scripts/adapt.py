"""Onboard a query site: the network stays frozen."""

from pathlib import Path

from ctharmony.job import start_job

logger = start_job(snakemake)

from model_data import (  # noqa: E402
    encode_usable,
    load_model,
    reference_operator,
    scanner_operator,
    usable_rows,
    write_site,
)

from ctharmony.model.adaptation import adapt  # noqa: E402

given, params, site = snakemake.input, snakemake.params, snakemake.wildcards.site
rows = usable_rows(given.ingested, given.registered)
model = load_model(given.model)
posteriors = encode_usable(model, rows, logger)
if not posteriors:
    raise ValueError(f"site {site} has no usable scan to adapt to; see its scans.tsv")
profile = adapt(model, posteriors)
logger.info("%s: %s", site, profile.reason or f"onboarded from {profile.n_scans} scans")
operator = scanner_operator(rows, params.operator_settings, reference_operator(given.model))
write_site(Path(snakemake.output[0]) / "site.json", site, profile, operator)
