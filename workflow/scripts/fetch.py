"""Take a trained model from a registry or folder instead of training one."""

from ctharmony.job import start_job

logger = start_job(snakemake)

import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io.packages import unpack  # noqa: E402
from ctharmony.tracking_models import fetch_model  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
with tempfile.TemporaryDirectory() as temporary:
    package = fetch_model(params.source["address"], params.source["registry"], Path(temporary))
    unpack(package, output, [row["site"] for row in params.sites])
logger.info("%s: fetched from %s", output, params.source["address"])
