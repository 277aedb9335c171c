"""The answers at every degree of confounding: one table and a figure."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

from ctharmony.evaluation import figures  # noqa: E402
from ctharmony.evaluation.figures import save  # noqa: E402
from ctharmony.io.files import replaced  # noqa: E402
from ctharmony.io.tables import read_tables, write_table  # noqa: E402

folder, table = Path(snakemake.output[0]), read_tables(list(snakemake.input))
write_table(folder / "confounding.tsv", table)
with replaced(folder / "confounding.png") as path:
    path.write_bytes(save(figures.retention(table, 1.0 - snakemake.params.loss), "png"))
logger.info("%d answers", len(table))
