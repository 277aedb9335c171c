"""Rule template: freeze the file a study names, or its reference sites' medoid or mean."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.jobs.registration import make_template  # noqa: E402

inputs, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
record = make_template(list(inputs.ingested), output, params.settings, params.seed)
logger.info("template: %s of %d candidates", record["source"], max(1, len(record["likeness"])))
