"""Train one model on the reference sites."""

from pathlib import Path

from ctharmony.job import start_job

logger = start_job(snakemake)

import pandas as pd  # noqa: E402
from checkpoints import CheckpointFolder  # noqa: E402
from model_data import (  # noqa: E402
    REFERENCE,
    load_scans,
    scanner_operator,
    usable_rows,
    write_site,
)
from safetensors.torch import save  # noqa: E402

from ctharmony.io.files import replaced, write_json  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.model.adaptation import reference_profile  # noqa: E402
from ctharmony.model.card import model_card  # noqa: E402
from ctharmony.model.settings import Settings  # noqa: E402
from ctharmony.model.training import train  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
rows = usable_rows(snakemake.input.ingested, snakemake.input.registered)
rows = rows[rows["split"].isin(["train", "validation"])]
scans = list(load_scans(rows))
settings = Settings.from_dict(params.settings)
folder = CheckpointFolder(params.checkpoint, logger)
state = folder.load(settings, params.seed)
model, history = train(scans, settings, params.seed, snakemake.threads, state, folder.hooks())
with replaced(output / "weights.safetensors") as path:
    path.write_bytes(save(model.state()))
write_json(output / "model_card.json", model_card(model, scans, history, params.seed))
write_table(output / "history.tsv", pd.DataFrame(history))
fitted = rows[rows["split"] == "train"]
for site in model.sites:
    own = fitted[fitted["site"] == site]
    profile = reference_profile(model, site, len(own))
    operator = scanner_operator(own, params.operator_settings)
    write_site(output / "sites" / f"{site}.json", site, profile, operator)
mean_scanner = scanner_operator(fitted, params.operator_settings)
write_json(output / REFERENCE, {"operator": mean_scanner.to_dict()})
folder.remove()
