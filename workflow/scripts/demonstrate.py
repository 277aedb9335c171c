"""Show what the divergences can and cannot do on one problem of known truth."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import torch  # noqa: E402

from ctharmony.demonstration.study import demonstrate  # noqa: E402
from ctharmony.evaluation import figures  # noqa: E402
from ctharmony.io.files import replaced  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402

torch.set_num_threads(1)
folder, params = Path(snakemake.output[0]), snakemake.params
tables, drawn = demonstrate(snakemake.wildcards.demonstration, params.settings, params.seeds)
for name, table in tables.items():
    write_table(folder / f"{name}.tsv", table)
    logger.info("%s: %d rows", name, len(table))
for name, figure in drawn.items():
    with replaced(folder / f"{name}.png") as path:
        path.write_bytes(figures.save(figure, "png"))
