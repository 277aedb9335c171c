"""Put a trained model, every site it knows and its settings into one MLflow model."""

from ctharmony.job import start_job

logger = start_job(snakemake)

import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

from ctharmony.io.packages import write_package  # noqa: E402
from ctharmony.tracking_models import save_model  # noqa: E402

given, params, output = snakemake.input, snakemake.params, Path(snakemake.output[0])
adapted = [Path(folder) for folder in given.get("adapted", [])]
with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
    package = Path(temporary) / "harmonizer"
    write_package(package, Path(given.model), adapted, params.settings)
    save_model(package, output)
logger.info("%s: a harmonizer of %d sites more than trained it", output, len(adapted))
