"""Pictures and short videos of what the latents hold: scanners and patients' traits."""

from pathlib import Path

from ctharmony.job import start_job

logger = start_job(snakemake)

from ctharmony.io.models import read_model, read_usable_rows  # noqa: E402
from ctharmony.io.results import stacked  # noqa: E402
from ctharmony.jobs.traversal import Traversals, scan_to_show  # noqa: E402

given, params, out = snakemake.input, snakemake.params, Path(snakemake.output[0])
rows = read_usable_rows(given.ingested, given.registered)
shown = scan_to_show(rows, params.target)
job = Traversals(read_model(given.model), shown, params.settings)
files = job.files(rows, stacked(given.harmonized, "latents.tsv"))
out.mkdir(parents=True)
for name, content in files.items():
    (out / name).write_bytes(content)
logger.info("%s: %s", shown.scan, ", ".join(files))
