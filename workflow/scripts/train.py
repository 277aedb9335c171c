"""Train one model on the reference sites."""

from ctharmony.job import spread_over_nodes, start_job

logger = start_job(snakemake)
training = snakemake.params.settings["training"]
spread_over_nodes(training["nodes"], training["devices"])

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.harmonization.operators import estimate_operator  # noqa: E402
from ctharmony.io.checkpoints import CheckpointFolder  # noqa: E402
from ctharmony.io.files import write_json  # noqa: E402
from ctharmony.io.models import read_curves, read_scans, read_usable_rows, write_model  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.model.adaptation import reference_profile, unseen_profile  # noqa: E402
from ctharmony.model.card import health_rows, model_card  # noqa: E402
from ctharmony.model.conditioning import covariate_values  # noqa: E402
from ctharmony.model.devices import leads  # noqa: E402
from ctharmony.model.settings import Settings  # noqa: E402
from ctharmony.model.training import Hooks, train  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
rows = read_usable_rows(snakemake.input.ingested, snakemake.input.registered)
settings = Settings.from_dict(params.settings)
covariates = covariate_values(params.rows, settings.invariance.covariates)
folder = CheckpointFolder(params.checkpoint, logger)
seen = rows[rows["split"].isin(["train", "validation"])]
scans = list(read_scans(seen, folder.path.parent / "scans", covariates))
state = folder.load(settings.to_dict(), params.seed)
hooks = Hooks(folder.save, folder.report, folder.should_stop)
model, history = train(scans, settings, params.seed, snakemake.threads, state, hooks)
if not leads():
    raise SystemExit
card = model_card(model, scans, history, params.seed)
card["withdrawn_sites"] = params.withdrawn
write_model(output, model, card)
final = pd.DataFrame(history + health_rows(card, epoch=history[-1]["epoch"]))
write_table(output / "history.tsv", final)
fitted = rows[rows["split"] == "train"]
curves = read_curves(fitted)
pooled = estimate_operator(curves, fitted, params.operator_settings)
write_json(output / "reference.json", {"operator": pooled.to_dict()})
for site in (row["site"] for row in params.sites):
    own = fitted[fitted["site"] == site]
    profile, operator = unseen_profile(model, site), pooled
    if len(own):
        profile = reference_profile(model, site, len(own))
        operator = estimate_operator(curves, own, params.operator_settings)
    write_json(output / "sites" / f"{site}.json", profile.to_dict(site, operator.to_dict()))
folder.remove()
